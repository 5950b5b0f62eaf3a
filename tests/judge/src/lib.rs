//! The judge: sends deliveries to the program, keeps a book of its own of what was acknowledged, and checks the log of
//! the program against it after whatever was done to the program meanwhile.
//!
//! It shares no code with the program: what a delivery, a signature and a hash chain are is written down here again.
//!
//! * [`load`]: sends, as GitHub does; [`body`]: what.
//! * [`book`]: what was intended, acknowledged, refused, or left unknown.
//! * [`stored`]: what stands in the log, through the public API, in the engine's own tables and in Kafka's topic.
//! * [`check`]: the laws, each with what broke it.
//! * [`program`]: the program, to be started and killed.
//! * [`disk`], [`server`], [`storage`]: what is beneath it, to be filled, cut and killed, and how it is told of it.
//! * [`cycle`]: all of it again and again.

pub mod body;
pub mod book;
pub mod check;
pub mod cycle;
pub mod disk;
pub mod load;
pub mod program;
pub mod server;
pub mod storage;
pub mod stored;

mod command;

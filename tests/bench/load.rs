//! Makes load as cheaply as it can be made, because it runs on the cores of what is measured: one thread, requests that
//! are printed once, one system call to send and one to receive.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::quantile;

/// What is sent, by whom and for how long.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    /// Such as `/hooks/github/bench`.
    pub(super) path: &'static str,
    /// So many senders; each waits for its answer before it sends again.
    pub(super) connections: usize,
    pub(super) time: Duration,
    /// All of them together send no faster; none for as fast as they are answered.
    pub(super) per_second: Option<f64>,
    pub(super) body: Arc<[u8]>,
    pub(super) signature: String,
}

/// How it went.
pub(super) struct Loaded {
    /// From the first byte sent to the answer, of every request.
    pub(super) times: Vec<Duration>,
    /// When each delivery was acknowledged, by its offset.
    pub(super) acknowledged: Vec<(i64, Instant)>,
    pub(super) per_second: f64,
    /// What making the load took of a processor.
    pub(super) own_cpu: Duration,
    /// What the whole process took of its processors meanwhile.
    pub(super) process_cpu: Duration,
}

impl Loaded {
    /// Processor time of the server for one request, in microseconds; meaningful if it runs in this process.
    pub(super) fn server_micros_per_request(&self) -> f64 {
        self.process_cpu.saturating_sub(self.own_cpu).as_secs_f64() * 1e6 / self.times.len() as f64
    }

    /// p50, p99 and p99.9.
    pub(super) fn quantiles(&mut self) -> [Duration; 3] {
        [0.5, 0.99, 0.999].map(|share| quantile(&mut self.times, share))
    }
}

/// Ids differ between runs against the same log.
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Load {
    /// Makes the load from a thread of its own.
    pub(super) async fn run(self) -> Loaded {
        tokio::task::spawn_blocking(|| std::thread::spawn(move || self.run_here()).join().unwrap()).await.unwrap()
    }

    fn run_here(self) -> Loaded {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (own, process) = (cpu("/proc/thread-self/stat"), cpu("/proc/self/stat"));
        let started = Instant::now();
        let tasks = tokio::task::LocalSet::new();
        let senders: Vec<_> =
            (0..self.connections).map(|number| tasks.spawn_local(send(self.clone(), number, started))).collect();
        let (times, acknowledged) = runtime.block_on(tasks.run_until(async {
            let (mut times, mut acknowledged) = (Vec::new(), Vec::new());
            for sender in senders {
                let (more_times, more_acknowledged) = sender.await.unwrap();
                times.extend(more_times);
                acknowledged.extend(more_acknowledged);
            }
            (times, acknowledged)
        }));
        Loaded {
            per_second: times.len() as f64 / started.elapsed().as_secs_f64(),
            times,
            acknowledged,
            own_cpu: cpu("/proc/thread-self/stat").saturating_sub(own),
            process_cpu: cpu("/proc/self/stat").saturating_sub(process),
        }
    }

    fn head(&self) -> String {
        format!(
            "POST {} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\nx-github-event: push\r\n\
             x-hub-signature-256: {}\r\ncontent-length: {}\r\nx-github-delivery: 00000000-0000-0000-0000-",
            self.path,
            self.signature,
            self.body.len()
        )
    }
}

async fn send(load: Load, number: usize, started: Instant) -> (Vec<Duration>, Vec<(i64, Instant)>) {
    let mut stream = TcpStream::connect(load.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (head, mut request, mut answer) = (load.head(), String::new(), vec![0; 4 << 10]);
    let every = load.per_second.map(|rate| Duration::from_secs_f64(load.connections as f64 / rate));
    let mut due = started + every.unwrap_or_default() * number as u32 / load.connections as u32;
    let (mut times, mut acknowledged) = (Vec::new(), Vec::new());
    while started.elapsed() < load.time {
        if let Some(every) = every {
            tokio::time::sleep_until(due.into()).await;
            due += every;
        }
        request.clear();
        request.push_str(&head);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        std::fmt::Write::write_fmt(&mut request, format_args!("{id:012}\r\n\r\n")).unwrap();
        let sent = Instant::now();
        send_all(&mut stream, [request.as_bytes(), &load.body]).await;
        let told = receive(&mut stream, &mut answer).await;
        let received = Instant::now();
        times.push(received - sent);
        acknowledged.extend(offset(told).map(|offset| (offset, received)));
    }
    (times, acknowledged)
}

/// The offset that an answer gives to a delivery.
fn offset(answer: &[u8]) -> Option<i64> {
    let answer = std::str::from_utf8(answer).unwrap();
    let (_, rest) = answer.split_once("\"offset\":")?;
    rest.split([',', '}']).next()?.parse().ok()
}

async fn send_all(stream: &mut TcpStream, [head, body]: [&[u8]; 2]) {
    let mut sent = stream.write_vectored(&[IoSlice::new(head), IoSlice::new(body)]).await.unwrap();
    if sent < head.len() {
        stream.write_all(&head[sent..]).await.unwrap();
        sent = head.len();
    }
    stream.write_all(&body[sent - head.len()..]).await.unwrap();
}

/// Reads one answer: its header, and as many bytes of body as it announces, which are returned.
async fn receive<'b>(stream: &mut TcpStream, buffer: &'b mut [u8]) -> &'b [u8] {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        filled += read;
        let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&buffer[..end]).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
        });
        if filled >= end + 4 + length.unwrap() {
            return &buffer[end + 4..filled];
        }
    }
}

/// Processor time of a thread or process, by the kernel's count of hundredths of a second.
pub(super) fn cpu(stat: &str) -> Duration {
    let stat = std::fs::read_to_string(stat).unwrap();
    // The name of the process stands in brackets and may hold anything; user and system time are the 12th and 13th
    // fields after it.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

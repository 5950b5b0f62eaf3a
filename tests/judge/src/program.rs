//! The program under judgement, used from outside: a directory with a configuration, a process over it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::storage::Storage;

/// The source that every judged program listens to.
pub const SOURCE: &str = "github/acme";

/// Its secret.
pub const SECRET: &str = "a secret of the judge, long enough";

/// Whatever is waited for is there after this, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

/// A command that reads all of a long log may take longer.
const COMMAND_PATIENCE: Duration = Duration::from_secs(1_800);

/// How often one looks.
const GLANCE: Duration = Duration::from_millis(5);

/// The signal of `kill -9`.
pub const SIGKILL: i32 = 9;

/// Where a program runs, and where its data is.
#[derive(Debug, Clone)]
pub struct Home {
    program: PathBuf,
    directory: PathBuf,
    data: PathBuf,
    storage: Storage,
}

impl Home {
    /// A directory with a configuration for the program; its data may be on another disk.
    ///
    /// # Errors
    /// If the configuration cannot be written.
    pub fn make(program: &Path, directory: &Path, data: &Path, storage: &Storage) -> anyhow::Result<Self> {
        let program = program.canonicalize().with_context(|| format!("{} is no program", program.display()))?;
        let (directory, data) = (directory.to_owned(), data.to_owned());
        let mut home = Self { program, directory, data, storage: Storage::Sqlite };
        home.stand_on(storage.clone())?;
        Ok(home)
    }

    /// Names another storage in the configuration, from the next start on.
    ///
    /// # Errors
    /// If the configuration cannot be written.
    pub fn stand_on(&mut self, storage: Storage) -> anyhow::Result<()> {
        let configuration = format!(
            "data = {:?}\n\n[[source]]\nname = {SOURCE:?}\nsecret = {SECRET:?}\n\n{}",
            self.data.display().to_string(),
            storage.configuration()
        );
        let file = self.directory.join("devhose.toml");
        std::fs::write(file, configuration).context("the configuration cannot be written")?;
        self.storage = storage;
        Ok(())
    }

    /// What its log is kept in.
    #[must_use]
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// The file of the embedded engine.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data.join("devhose.db")
    }

    /// Where its data is.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Starts the server, told to fail in this way, and waits until it listens.
    ///
    /// # Errors
    /// If it ends before it listens.
    pub fn serve(&self, fault: Option<&str>) -> anyhow::Result<Program> {
        self.serve_under(&[], fault)
    }

    /// The same, as an argument of another command, such as one that has its system calls fail.
    ///
    /// # Errors
    /// If it ends before it listens.
    pub fn serve_under(&self, wrapper: &[&str], fault: Option<&str>) -> anyhow::Result<Program> {
        let mut child = self.command(wrapper, &["serve", "--listen", "127.0.0.1:0"], fault).spawn()?;
        let (tell, told) = mpsc::channel();
        let stdout = listen(child.stdout.take().context("no standard output")?, None);
        let stderr = listen(child.stderr.take().context("no standard error")?, Some(tell));
        let mut program = Program { url: String::new(), child, outputs: Some((stdout, stderr)) };
        match told.recv_timeout(PATIENCE) {
            Ok(url) => {
                program.url = url;
                Ok(program)
            }
            Err(_) => bail!("the program does not listen: {:?}", program.kill()?),
        }
    }

    /// Runs a command of the program to its end.
    ///
    /// # Errors
    /// If it cannot be started, or does not end.
    pub fn run(&self, args: &[&str]) -> anyhow::Result<Ended> {
        let mut child = self.command(&[], args, None).spawn()?;
        let stdout = listen(child.stdout.take().context("no standard output")?, None);
        let stderr = listen(child.stderr.take().context("no standard error")?, None);
        Program { url: String::new(), child, outputs: Some((stdout, stderr)) }.ended_within(COMMAND_PATIENCE)
    }

    /// Nothing of the judge's own environment reaches it but where programs are found.
    fn command(&self, wrapper: &[&str], args: &[&str], fault: Option<&str>) -> Command {
        let program = self.program.display().to_string();
        let mut words = wrapper.iter().copied().chain([program.as_str()]).chain(args.iter().copied());
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir(&self.directory).env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
        command.envs(fault.map(|fault| ("DEVHOSE_FAULT", fault)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; none if a signal ended it.
    pub exit: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said.
    pub stderr: String,
}

/// A running server. When it is dropped it is killed.
#[derive(Debug)]
pub struct Program {
    /// Where it listens.
    pub url: String,
    child: Child,
    outputs: Option<(JoinHandle<String>, JoinHandle<String>)>,
}

impl Program {
    /// Ends it without a word: `kill -9`.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn kill(mut self) -> anyhow::Result<Ended> {
        self.child.kill()?;
        let status = self.child.wait()?;
        Ok(self.of(status))
    }

    /// Asks it to stop, as a system does, and waits for it.
    ///
    /// # Errors
    /// If it does not end.
    pub fn stop(self) -> anyhow::Result<Ended> {
        self.ask_to_stop()?;
        self.ended()
    }

    /// Asks it to stop.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn ask_to_stop(&self) -> anyhow::Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        if asked.success() { Ok(()) } else { bail!("the program cannot be asked to stop") }
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// If it does not end.
    pub fn ended(self) -> anyhow::Result<Ended> {
        self.ended_within(PATIENCE)
    }

    fn ended_within(mut self, patience: Duration) -> anyhow::Result<Ended> {
        let began = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) => return Ok(self.of(status)),
                None if began.elapsed() > patience => bail!("the program does not end: {:?}", self.kill()?),
                None => std::thread::sleep(GLANCE),
            }
        }
    }

    fn of(&mut self, status: ExitStatus) -> Ended {
        let (stdout, stderr) = match self.outputs.take() {
            Some((stdout, stderr)) => (stdout.join().unwrap_or_default(), stderr.join().unwrap_or_default()),
            None => Default::default(),
        };
        Ended { exit: status.code(), signal: status.signal(), stdout, stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        if let Ok(status) = self.child.wait()
            && self.outputs.is_some()
            && std::thread::panicking()
        {
            let Ended { exit, signal, stderr, .. } = self.of(status);
            let said = stderr.lines().filter(|line| !line.contains("request rejected")).collect::<Vec<_>>().join("\n");
            drop(writeln!(std::io::stderr(), "the program ended with {exit:?} {signal:?} and had said:\n{said}"));
        }
    }
}

/// Collects an output, and passes on the address that a line of it holds.
fn listen(output: impl Read + Send + 'static, mut tell: Option<mpsc::Sender<String>>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("http://")
                && let Some(tell) = tell.take()
            {
                drop(tell.send(format!("http://{address}")));
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    })
}

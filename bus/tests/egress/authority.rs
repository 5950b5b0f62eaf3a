//! An authority of one's own, made by `openssl`.

use std::path::Path;
use std::process::Command;

/// A certificate with its key, as PEM.
pub(super) struct Certificate {
    pub(super) chain: String,
    pub(super) key: String,
}

pub(super) struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    pub(super) fn new() -> Self {
        let authority = Self { folder: tempfile::tempdir().unwrap() };
        authority.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=Authority \
             -days 2",
        );
        authority
    }

    /// Its own certificate, as PEM.
    pub(super) fn certificate(&self) -> String {
        self.read("ca.pem")
    }

    /// A certificate for this host, which is good for so many days from now.
    pub(super) fn issue(&self, host: &str, days: i32) -> Certificate {
        std::fs::write(self.folder.path().join("names"), format!("subjectAltName=DNS:{host}\n")).unwrap();
        self.openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server",
        );
        self.openssl(&format!(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days {days} -extfile names -out server.pem"
        ));
        Certificate { chain: self.read("server.pem"), key: self.read("server.key") }
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(file)).unwrap()
    }

    fn openssl(&self, arguments: &str) {
        run(Command::new("openssl").args(arguments.split_whitespace()), self.folder.path());
    }
}

fn run(command: &mut Command, folder: &Path) {
    let done = command.current_dir(folder).output();
    let done = done.unwrap_or_else(|error| panic!("openssl: {error}; install it with `apt-get install openssl`"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

//! A small disk of our own, in a file: it can be filled up, and its power can be cut.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::command::run;

/// `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`: from this moment nothing reaches the disk any more, and what
/// the file system holds in memory is lost. Perl is on every Debian system and needs nothing else for it.
const CUT: &str =
    r#"open(my $file, "<", $ARGV[0]) or die "$!"; my $how = pack("L", 2); ioctl($file, 0x8004587d, $how) or die "$!";"#;

/// A mounted disk. When it is dropped it is taken away.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    mounted_at: PathBuf,
}

impl Disk {
    /// Makes and mounts a disk of so many MiB.
    ///
    /// # Errors
    /// If this machine does not let us: it takes root's rights and loop devices.
    pub fn make(directory: &Path, mebibytes: u64) -> anyhow::Result<Self> {
        let disk = Self { image: directory.join("disk.img"), mounted_at: directory.join("disk") };
        let file = std::fs::File::create(&disk.image).context("the image of a disk cannot be made")?;
        file.set_len(mebibytes << 20)?;
        std::fs::create_dir_all(&disk.mounted_at)?;
        let at_once = "lazy_itable_init=0,lazy_journal_init=0";
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0", "-E", at_once]).arg(&disk.image))?;
        disk.mount()?;
        // What the cut is asked of: some file of the disk.
        std::fs::write(disk.handle(), "")?;
        run(Command::new("sync").arg("-f").arg(disk.handle()))?;
        Ok(disk)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mounted_at
    }

    /// Cuts its power: only what was waited for is there when it is mounted again.
    ///
    /// # Errors
    /// If the file system cannot be told.
    pub fn cut(&self) -> anyhow::Result<()> {
        run(Command::new("perl").args(["-e", CUT]).arg(self.handle())).map(drop)
    }

    /// Gives it its power back. No process may hold anything of it.
    ///
    /// # Errors
    /// If it cannot be mounted again.
    pub fn restore(&self) -> anyhow::Result<()> {
        run(Command::new("umount").arg(&self.mounted_at))?;
        self.mount()
    }

    /// Fills it up, but for so many KiB.
    ///
    /// # Errors
    /// If the file that fills it cannot be made.
    pub fn fill(&self, but_kibibytes: u64) -> anyhow::Result<()> {
        let free = Command::new("df").args(["--output=avail", "-k"]).arg(&self.mounted_at).output()?;
        let free = String::from_utf8_lossy(&free.stdout).lines().last().unwrap_or_default().trim().parse::<u64>()?;
        let kibibytes = free.saturating_sub(but_kibibytes);
        run(Command::new("fallocate").args(["-l", &format!("{kibibytes}KiB")]).arg(self.filler())).map(drop)
    }

    /// Makes room again.
    ///
    /// # Errors
    /// If the file that fills it cannot be removed.
    pub fn make_room(&self) -> anyhow::Result<()> {
        std::fs::remove_file(self.filler()).context("the file that fills the disk cannot be removed")
    }

    fn mount(&self) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", "loop"]).args([&self.image, &self.mounted_at])).map(drop)
    }

    fn handle(&self) -> PathBuf {
        self.mounted_at.join("handle")
    }

    fn filler(&self) -> PathBuf {
        self.mounted_at.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may hold a file of it.
        drop(Command::new("umount").arg("-l").arg(&self.mounted_at).output());
    }
}

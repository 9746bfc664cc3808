//! The servers from elsewhere: how each is started. All of them on the loopback address, each on its own port.

pub mod minio;
pub mod nats;
pub mod postgres;
pub mod seaweedfs;

use crate::{folders::Folders, launch::Launch, part::Part, ports::Ports, secrets::Secrets};

/// What every server is started with.
#[derive(Debug)]
pub struct Setting<'a> {
    /// Where the programs built from source are.
    pub programs: &'a std::path::Path,
    /// Where everything is kept.
    pub folders: &'a Folders,
    /// The stack's ports.
    pub ports: Ports,
    /// The stack's credentials.
    pub secrets: &'a Secrets,
    /// Whether it outlives this process.
    pub detached: bool,
}

impl Setting<'_> {
    /// `127.0.0.1:port` of the part's work.
    fn address(&self, part: Part) -> String {
        format!("127.0.0.1:{}", self.ports.work(part))
    }

    /// A launch of `part` with neither arguments nor environment.
    fn launch(&self, part: Part, program: std::path::PathBuf) -> Launch {
        Launch {
            program,
            arguments: vec![],
            environment: vec![],
            log: self.folders.log(part),
            pid_file: self.folders.pid(part),
            never_root: false,
            detached: self.detached,
        }
    }
}

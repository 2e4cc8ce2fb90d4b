//! The service that the tests talk to: the bench's (`tests/bench`), else a private one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use stockade::libpod::{ApiVersion, Client, Endpoint};

use super::command::TestCommand;
use super::private_service;

/// A rootless Podman service and what is needed to work with it.
#[derive(Debug)]
pub(crate) struct Podman {
    /// The service's socket.
    pub(crate) socket: PathBuf,
    /// A directory that is valid at the same path for the service.
    pub(crate) shared: PathBuf,
    /// A static busybox.
    pub(crate) busybox: PathBuf,
    /// `podman --remote` of the service's own release, as program and first arguments.
    pub(crate) remote: Vec<OsString>,
    /// Where what the service said can be read, if it is ours.
    pub(crate) log: Option<PathBuf>,
    version: OnceLock<ApiVersion>,
}

impl Podman {
    /// The service, started first if there is none.
    ///
    /// # Panics
    /// There is no Podman: a test that needs one fails without it.
    pub(crate) fn get() -> &'static Self {
        static PODMAN: OnceLock<Podman> = OnceLock::new();
        PODMAN.get_or_init(|| Self::of_bench().unwrap_or_else(private_service::start))
    }

    /// A service by its parts.
    pub(crate) fn new(
        socket: PathBuf,
        shared: PathBuf,
        busybox: PathBuf,
        remote: Vec<OsString>,
        log: Option<PathBuf>,
    ) -> Self {
        Self {
            socket,
            shared,
            busybox,
            remote,
            log,
            version: OnceLock::new(),
        }
    }

    /// What `tests/bench/run.sh` set up.
    fn of_bench() -> Option<Self> {
        let socket = std::env::var_os("STOCKADE_TEST_SOCKET")?;
        let given = |name: &str| {
            std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set beside the socket"))
        };
        Some(Self::new(
            socket.into(),
            given("STOCKADE_TEST_SHARED").into(),
            given("STOCKADE_TEST_BUSYBOX").into(),
            vec![given("STOCKADE_TEST_PODMAN")],
            None,
        ))
    }

    /// The socket as `CONTAINER_HOST` has it.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// `podman --remote ARGUMENT...`
    pub(crate) fn command(&self, arguments: &[&str]) -> TestCommand {
        let (program, first) = self.remote.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(first).args(arguments);
        command
            .env_clear()
            .env("PATH", super::command::PATH)
            .env("HOME", &self.shared)
            .current_dir(&self.shared);
        TestCommand::new(command)
    }

    /// A client of our library on this service.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(&Endpoint::unix(&self.socket))
            .await
            .expect("the service answers")
    }

    /// Whether the service is at least of this release: what differs is asked this way.
    pub(crate) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.version().at_least(major, minor)
    }

    /// The service's release.
    pub(crate) fn version(&self) -> &ApiVersion {
        self.version.get_or_init(|| {
            // A thread of its own: the test may be in a runtime already.
            let ask = || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async { *self.client().await.version() })
            };
            std::thread::scope(|scope| scope.spawn(ask).join().expect("the service answers"))
        })
    }
}

/// The program under test: the bench's static one, else what cargo built.
pub(crate) fn stockade_program() -> PathBuf {
    if let Some(path) = std::env::var_os("STOCKADE_TEST_BIN") {
        return path.into();
    }
    let Some(path) = option_env!("CARGO_BIN_EXE_stockade") else {
        panic!("these tests need the program: build them with the feature `cli`");
    };
    PathBuf::from(path)
}

//! Starting and stopping: a runtime of its own in a thread of its own.

mod connections;
mod listen;
mod tls;

use std::{
    fmt, io,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use serde::Serialize;
use tokio::{runtime, sync::watch, time};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroize as _;

use crate::{
    config::Config,
    error::Error,
    http,
    iam::{Administrator, Iam},
    origin::Origin,
};
use listen::Listeners;

/// The local IAM as a server.
#[derive(Debug)]
pub struct Server;

/// A running server. It stops when this is dropped.
#[derive(Serialize)]
pub struct Running {
    /// Where AWS's API is, for `AWS_ENDPOINT_URL_IAM` and `AWS_ENDPOINT_URL_STS`: `http://127.0.0.1:PORT`, or with TLS
    /// the console's URL.
    pub url: String,
    /// Where the console is: `http://localhost:PORT`, or with TLS [`Config::origin`].
    pub console_url: String,
    /// The account: 12 digits.
    pub account: String,
    /// The administrator's access key: `AKIA…`.
    pub access_key_id: String,
    /// Its secret: for the person at the terminal, not for a log.
    pub secret_access_key: String,
    /// The administrator, at the first start of the data only: the password is not kept anywhere.
    pub administrator: Option<Administrator>,
    /// What is listened on.
    #[serde(skip)]
    pub address: SocketAddr,
    #[serde(skip)]
    iam: Arc<Iam>,
    #[serde(skip)]
    stop: watch::Sender<bool>,
    #[serde(skip)]
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Starts the server and comes back when it can be reached.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from starting, from a port in use to data that a newer version wrote.
    pub fn start(config: Config) -> Result<Running, Error> {
        let listeners = Listeners::bind(config.listen, config.tls.is_some())?;
        let address = listeners.first.local_addr().map_err(Error::Thread)?;
        let origin = origin(&config, address)?;
        let files = config.tls.as_ref();
        let tls = files.map(|files| tls::acceptor(files, &origin, config.clock.seconds())).transpose()?;
        let console_url = origin.to_string();
        let url = if tls.is_some() { console_url.clone() } else { format!("http://{address}") };
        let (iam, administrator) = Iam::open(&config, origin)?;
        let iam = Arc::new(iam);
        let account = iam.account.as_str().to_owned();
        let key = iam.administrator_key()?;
        let (stop, stopped) = watch::channel(false);
        // Requests block the threads that they came to, and others take over. That there are at most eight bounds the
        // memory that passwords being verified can take.
        let runtime = runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("keywright-iam")
            .worker_threads(2)
            .max_blocking_threads(6)
            .build()
            .map_err(Error::Thread)?;
        let served = Arc::clone(&iam);
        let thread = thread::Builder::new()
            .name("keywright-iam".into())
            .spawn(move || {
                let result = runtime.block_on(run(listeners, tls, served, stopped));
                runtime.shutdown_timeout(PATIENCE);
                result
            })
            .map_err(Error::Thread)?;
        Ok(Running {
            url,
            console_url,
            account,
            access_key_id: key.key.id,
            secret_access_key: key.secret.to_string(),
            administrator,
            address,
            iam,
            stop,
            thread: Some(thread),
        })
    }

    /// Starts the server, tells `started`, and stays until the server ends or the process is ended. Ending
    /// the process at any time loses nothing that was answered.
    ///
    /// # Errors
    ///
    /// As [`Server::start`], and whatever ends the server.
    pub fn serve(config: Config, started: impl FnOnce(&Running)) -> Result<(), Error> {
        let running = Self::start(config)?;
        started(&running);
        running.wait()
    }
}

impl Running {
    /// Writes a copy of the database while the server goes on, as [`DataDirectory::backup`](crate::DataDirectory::backup)
    /// does.
    ///
    /// # Errors
    ///
    /// When there is such a file already, or it cannot be written.
    pub fn backup(&self, path: &Path) -> Result<(), Error> {
        self.iam.store.backup(path)
    }

    /// Waits until the server ends by itself.
    ///
    /// # Errors
    ///
    /// What ended it.
    pub fn wait(mut self) -> Result<(), Error> {
        let ended = self.thread.take().map(JoinHandle::join);
        match ended {
            Some(Ok(result)) => result.map_err(Error::Thread),
            Some(Err(_)) => Err(Error::Thread(io::Error::other("it panicked"))),
            None => Ok(()),
        }
    }
}

impl Running {
    /// What stops the server when it is called, from any thread: [`Running::wait`] returns then.
    pub fn stopper(&self) -> impl Fn() + Send + 'static {
        let stop = self.stop.clone();
        move || {
            stop.send_replace(true);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.secret_access_key.zeroize();
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A server that ended badly is ended all the same.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (url, account) = (&self.console_url, &self.account);
        f.debug_struct("Running").field("console_url", url).field("account", account).finish_non_exhaustive()
    }
}

/// The one asked for, or this machine's own; beyond it a name has to be said.
fn origin(config: &Config, address: SocketAddr) -> Result<Origin, Error> {
    match (&config.origin, &config.tls) {
        (Some(origin), None) => Err(Error::OriginWithoutTls(origin.clone())),
        (Some(origin), Some(_)) => Origin::secure(origin),
        (None, Some(_)) if !address.ip().is_loopback() => Err(Error::NoOrigin(address)),
        (None, tls) => Origin::local(tls.is_some(), address),
    }
}

async fn run(
    listeners: Listeners,
    tls: Option<TlsAcceptor>,
    iam: Arc<Iam>,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let router = http::router(iam);
    let serve =
        |listener| connections::serve(listener, tls.clone(), router.clone(), told_to_stop(stopped.clone()));
    let Listeners { first, second } = listeners;
    let second = async {
        match second {
            Some(listener) => serve(listener).await,
            None => Ok(()),
        }
    };
    let both = async { tokio::try_join!(serve(first), second).map(|_| ()) };
    tokio::select! {
        result = both => result,
        () = async { told_to_stop(stopped.clone()).await; time::sleep(PATIENCE).await } => Ok(()),
    }
}

async fn told_to_stop(mut stopped: watch::Receiver<bool>) {
    // An error means that the other end is gone, which is the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// How long open connections may hold up a stop.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn start(listen: &str) -> Result<Running, Error> {
        Server::start(Config { listen: listen.parse().unwrap(), ..Config::ephemeral() })
    }

    #[test]
    fn an_address_that_other_machines_can_reach_is_refused() {
        for address in ["0.0.0.0:0", "192.168.1.1:0", "[::]:0", "127.0.0.2:0", "[::1]:0"] {
            let error = start(address).unwrap_err();
            assert!(error.to_string().contains("use 127.0.0.1:PORT"), "{error}");
        }
    }

    #[test]
    fn a_port_in_use_is_an_error_that_names_it() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let error = start(&address).unwrap_err();
        assert!(error.to_string().contains(&address), "{error}");
    }

    #[test]
    fn a_wrong_account_or_administrator_is_refused() {
        let account = Some("12".to_owned());
        assert!(matches!(Server::start(Config { account, ..Config::ephemeral() }), Err(Error::Account(_))));
        let administrator = "a b".to_owned();
        let result = Server::start(Config { administrator, ..Config::ephemeral() });
        assert!(matches!(result, Err(Error::Administrator(_))));
    }

    #[test]
    fn a_server_that_is_stopped_is_waited_for_and_no_longer_answers() {
        let running = start("127.0.0.1:0").unwrap();
        let address = running.console_url.replace("http://localhost", "127.0.0.1");
        let stop = running.stopper();
        let stopping = thread::spawn(stop);
        running.wait().unwrap();
        stopping.join().unwrap();
        assert!(std::net::TcpStream::connect(&address).is_err());
    }

    #[test]
    fn a_dropped_server_no_longer_answers_and_never_shows_its_password() {
        let running = start("127.0.0.1:0").unwrap();
        let address = running.console_url.replace("http://localhost", "127.0.0.1");
        let password = running.administrator.clone().unwrap().password;
        let shown = format!("{running:?} {:?}", running.administrator);
        assert!(!shown.contains(&password) && !shown.contains(&running.secret_access_key));
        let connection = std::net::TcpStream::connect(&address).unwrap();
        drop(running);
        assert!(std::net::TcpStream::connect(&address).is_err());
        drop(connection);
    }
}

//! Starting and stopping: a runtime of its own in a thread of its own.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use serde::Serialize;
use tokio::{runtime, sync::watch, time};

use crate::{
    config::Config,
    error::Error,
    http,
    iam::{Administrator, Iam},
};

/// The local IAM as a server.
#[derive(Debug)]
pub struct Server;

/// A running server. It stops when this is dropped.
#[derive(Serialize)]
pub struct Running {
    /// Where the console is: `http://localhost:PORT`.
    pub console_url: String,
    /// The account: 12 digits.
    pub account: String,
    /// The administrator, at the first start of the data only: the password is not kept anywhere.
    pub administrator: Option<Administrator>,
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
        let listener = listen(config.listen)?;
        let port = listener.local_addr().map_err(Error::Thread)?.port();
        let console_url = console_url(port);
        let (iam, administrator) = Iam::open(&config, console_url.clone())?;
        let account = iam.account.as_str().to_owned();
        let (stop, stopped) = watch::channel(false);
        // Eight blocking threads bound the memory that passwords being verified can take.
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(8)
            .build()
            .map_err(Error::Thread)?;
        let thread = thread::Builder::new()
            .name("keywright-iam".into())
            .spawn(move || {
                let result = runtime.block_on(run(listener, Arc::new(iam), stopped));
                runtime.shutdown_timeout(PATIENCE);
                result
            })
            .map_err(Error::Thread)?;
        Ok(Running { console_url, account, administrator, stop, thread: Some(thread) })
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

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    if address.ip() != Ipv4Addr::LOCALHOST {
        return Err(Error::NotLoopback(address));
    }
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// The origin as browsers write it: without the port when it is 80.
fn console_url(port: u16) -> String {
    match port {
        80 => "http://localhost".into(),
        port => format!("http://localhost:{port}"),
    }
}

async fn run(listener: TcpListener, iam: Arc<Iam>, stopped: watch::Receiver<bool>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let server = axum::serve(listener, http::router(iam));
    let graceful = server.with_graceful_shutdown(told_to_stop(stopped.clone()));
    tokio::select! {
        result = graceful.into_future() => result,
        () = async { told_to_stop(stopped).await; time::sleep(PATIENCE).await } => Ok(()),
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
        assert!(!format!("{running:?} {:?}", running.administrator).contains(&password));
        let connection = std::net::TcpStream::connect(&address).unwrap();
        drop(running);
        assert!(std::net::TcpStream::connect(&address).is_err());
        drop(connection);
    }
}

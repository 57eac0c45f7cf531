//! What the verbs need of the event loop: one thread for everything but the waiting for links to go,
//! the signals, several audits side by side, and an inbox for keys.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, LocalSet, spawn_local};
use tokio::time::sleep;

/// An audit to be done beside others.
pub type Task<T> = Pin<Box<dyn Future<Output = T>>>;

/// Does the work on this thread, to its end.
///
/// # Errors
/// When the event loop cannot be made.
pub fn run<T>(work: impl Future<Output = T>) -> io::Result<T> {
    Ok(event_loop()?.block_on(LocalSet::new().run_until(work)))
}

/// Does several works side by side, on the thread of [`run`]; answers in their order.
pub async fn together<T: 'static>(works: Vec<Task<T>>) -> Vec<Result<T, JoinError>> {
    let tasks: Vec<_> = works.into_iter().map(spawn_local).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await);
    }
    answers
}

fn event_loop() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Whether the user wants the audits to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Waits for the wish. Cancel safe.
    pub async fn wished(&mut self) {
        if self.0.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Ctrl-C, SIGTERM and SIGHUP: the first ends the audits with their reports, the second calls
/// `leave`. A thread of its own, so that a second Ctrl-C works however busy the loop is.
///
/// # Errors
/// When the thread cannot be started.
pub fn stop_on_signals(leave: fn() -> !) -> io::Result<Stop> {
    let (send, receive) = watch::channel(false);
    let events = event_loop()?;
    let wait = move || {
        events.block_on(async move {
            match next_signal().await {
                Ok(Signal::SIGINT) => log::info!("ending; Ctrl-C again ends at once, without a report"),
                Ok(signal) => log::info!("{signal}: ending"),
                Err(error) => return log::warn!("signals are not seen: {error}"),
            }
            send.send_replace(true);
            if next_signal().await.is_ok() {
                leave();
            }
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(Stop(receive))
}

async fn next_signal() -> io::Result<Signal> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(Signal::SIGINT),
        _ = terminate.recv() => Ok(Signal::SIGTERM),
        _ = hangup.recv() => Ok(Signal::SIGHUP),
    }
}

/// What another thread delivers, in order.
#[derive(Debug)]
pub struct Inbox<T>(mpsc::UnboundedReceiver<T>);

/// A way in, which says whether anybody still reads, and the inbox.
pub fn inbox<T: Send + 'static>() -> (impl Fn(T) -> bool + Send + 'static, Inbox<T>) {
    let (send, receive) = mpsc::unbounded_channel();
    (move |item| send.send(item).is_ok(), Inbox(receive))
}

impl<T> Inbox<T> {
    /// The next one; waits for ever when nobody delivers any more. Cancel safe.
    pub async fn next(&mut self) -> T {
        match self.0.recv().await {
            Some(item) => item,
            None => std::future::pending().await,
        }
    }
}

/// What came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<T> {
    /// The user wants an end.
    Stop,
    /// Something was delivered.
    Item(T),
    /// Nothing, as long as one was ready to wait.
    Nothing,
}

/// Waits for the user's wish to end or a delivery, but no longer than that.
pub async fn hear<T>(inbox: &mut Inbox<T>, stop: &mut Stop, patience: Duration) -> Heard<T> {
    tokio::select! {
        biased;
        () = stop.wished() => Heard::Stop,
        item = inbox.next() => Heard::Item(item),
        () = sleep(patience) => Heard::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works_are_done_side_by_side_and_answered_in_their_order() {
        let (send, mut inbox) = inbox::<u32>();
        let waits: Task<u32> = Box::pin(async move { inbox.next().await });
        let delivers: Task<u32> = Box::pin(async move {
            assert!(send(7));
            8
        });
        let answers = run(together(vec![waits, delivers])).unwrap();
        assert_eq!(answers.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [7, 8]);
    }
}

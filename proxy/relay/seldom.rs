//! A future that waits for rare things beside one that is woken by every packet.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Polls what it holds only when something woke that: timers and channels take locks each time they are asked.
pub struct Seldom<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + Send + 'a>>,
    alarm: Arc<Alarm>,
    /// The task that the alarm wakes, as told to it.
    task: Option<Waker>,
}

#[derive(Default)]
struct Alarm {
    /// Something woke the future since it was polled last.
    rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl<'a, T> Seldom<'a, T> {
    /// Of this future, which is polled at once for the first time.
    pub fn new(future: impl Future<Output = T> + Send + 'a) -> Seldom<'a, T> {
        let alarm = Alarm { rung: AtomicBool::new(true), ..Alarm::default() };
        Seldom { future: Box::pin(future), alarm: Arc::new(alarm), task: None }
    }
}

impl<T> Future for Seldom<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if !self.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            let task = cx.waker().clone();
            *self.alarm.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.clone());
            self.task = Some(task);
        }
        // Who rings between this and the poll is heard the next time: it has woken the task.
        if !self.alarm.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let waker = Waker::from(self.alarm.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;
    use std::task::ready;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_when_it_was_woken_and_not_when_its_task_was() {
        let asked = AtomicUsize::new(0);
        let mut timer = Box::pin(tokio::time::sleep(Duration::from_secs(5)));
        let mut seldom = Seldom::new(poll_fn(|cx| {
            asked.fetch_add(1, Ordering::Relaxed);
            timer.as_mut().poll(cx)
        }));
        // The task is woken again and again by something else.
        let mut often = tokio::time::interval(Duration::from_millis(100));
        let mut turns = 0;
        poll_fn(|cx| {
            while often.poll_tick(cx).is_ready() {
                turns += 1;
            }
            ready!(Pin::new(&mut seldom).poll(cx));
            Poll::Ready(())
        })
        .await;
        assert!(turns >= 49, "{turns} turns");
        assert_eq!(asked.load(Ordering::Relaxed), 2, "once to begin and once when it was due");
    }
}

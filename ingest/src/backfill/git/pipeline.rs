//! Work spread over threads, results in order.
//!
//! Jobs are numbered. A job is only handed out while fewer than a fixed number are under way, so that one slow job
//! makes the others wait instead of piling up their results.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};

/// So many jobs are under way for each thread: one in work, the rest so that no thread waits for the next.
const JOBS_PER_THREAD: usize = 4;

/// Runs every job on `threads` threads and hands each result to `take` on the calling thread, in order of the jobs.
/// Returns false if a job panicked: its result and all after it are then missing.
///
/// `worker` is called once per thread and makes what does the work there. After `take` says so, no further job begins.
pub(super) fn in_order<J, R, W>(
    threads: usize,
    jobs: impl IntoIterator<Item = J>,
    worker: impl Fn() -> W + Sync,
    mut take: impl FnMut(R) -> ControlFlow<()>,
) -> bool
where
    J: Send,
    R: Send,
    W: FnMut(J) -> R,
{
    let threads = threads.max(1);
    let under_way_max = threads * JOBS_PER_THREAD;
    std::thread::scope(|scope| {
        let (to_do, queue) = sync_channel::<(usize, J)>(under_way_max);
        let (done, results) = sync_channel::<(usize, Option<R>)>(under_way_max);
        let queue = std::sync::Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let (queue, done, worker) = (std::sync::Arc::clone(&queue), done.clone(), &worker);
            scope.spawn(move || {
                let mut work = worker();
                while let Some((number, job)) = next(&queue) {
                    // A panic must become a result: a job without one would be waited for for ever.
                    let result = catch_unwind(AssertUnwindSafe(|| work(job))).ok();
                    // Nobody takes results any more after a stop.
                    if done.send((number, result)).is_err() {
                        return;
                    }
                }
            });
        }
        // Only the threads hold these from here on: when the last of them is gone, the other ends find out.
        drop((queue, done));
        let mut jobs = jobs.into_iter().enumerate();
        let mut early = BTreeMap::new();
        let (mut begun, mut ended) = (0, 0);
        loop {
            while begun - ended < under_way_max {
                let Some(job) = jobs.next() else { break };
                if to_do.send(job).is_err() {
                    return false;
                }
                begun += 1;
            }
            if begun == ended {
                return true;
            }
            let Ok((number, Some(result))) = results.recv() else { return false };
            early.insert(number, result);
            while let Some(result) = early.remove(&ended) {
                ended += 1;
                if take(result).is_break() {
                    return true;
                }
            }
        }
    })
}

/// Takes a job off the queue; none when there will be no more.
fn next<T>(queue: &Mutex<Receiver<T>>) -> Option<T> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_of_their_jobs() {
        for threads in [0, 1, 2, 5] {
            let mut taken = Vec::new();
            let whole = in_order(
                threads,
                0..1_000_u64,
                || |job| (0..job * 7 % 500).fold(job, |value, _| std::hint::black_box(value)),
                |result| {
                    taken.push(result);
                    ControlFlow::Continue(())
                },
            );
            assert!(whole);
            assert_eq!(taken, (0..1_000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_job_that_panics_ends_the_run() {
        let mut taken = Vec::new();
        let whole = in_order(
            2,
            0..1_000,
            || |job| if job == 20 { panic!("on purpose") } else { job },
            |result| {
                taken.push(result);
                ControlFlow::Continue(())
            },
        );
        assert!(!whole);
        assert!(taken.len() <= 20);
    }

    #[test]
    fn no_job_begins_long_after_a_stop() {
        let begun = std::sync::atomic::AtomicUsize::new(0);
        let mut taken = 0;
        in_order(
            2,
            0..1_000_000,
            || {
                |job: usize| {
                    begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    job
                }
            },
            |_| {
                taken += 1;
                if taken == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(taken, 10);
        assert!(begun.into_inner() <= 10 + 2 * JOBS_PER_THREAD + 2);
    }
}

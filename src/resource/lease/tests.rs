//! Leases in virtual time, in a store that is slow, fails, and loses answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::resource::progress::Silent;

/// What all runs share: the service.
#[derive(Default)]
struct Service {
    kept: Mutex<BTreeMap<u64, (String, Instant)>>,
    writes: AtomicUsize,
    began: Mutex<Option<Instant>>,
    /// Whether answers name the service's time.
    is_timeless: AtomicBool,
}

/// One run's way to it.
struct Line {
    service: Arc<Service>,
    /// How the network behaves, by chance; without it calls take no time and never fail.
    weather: Option<Mutex<StdRng>>,
    /// The process is dead: none of its calls arrives or returns.
    dead: AtomicBool,
}

impl Line {
    fn to(service: &Arc<Service>) -> Arc<Self> {
        Arc::new(Self {
            service: service.clone(),
            weather: None,
            dead: AtomicBool::new(false),
        })
    }

    fn chance(&self, most: u64) -> u64 {
        let rng = self
            .weather
            .as_ref()
            .map(|rng| rng.lock().unwrap().random_range(0..most));
        rng.unwrap_or(most)
    }

    /// One way of a call: it takes its time, now and then very long, and may be lost.
    async fn way(&self) -> Result<()> {
        if self.weather.is_some() {
            let delay = match self.chance(20) {
                0 => Duration::from_secs(self.chance(120)),
                _ => Duration::from_millis(self.chance(300)),
            };
            tokio::time::sleep(delay).await;
        }
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        match self.chance(20) {
            0 => Err(Error::failed("the network is away")),
            _ => Ok(()),
        }
    }
}

fn time(service: &Service, at: Instant) -> Timestamp {
    let began = *service.began.lock().unwrap().get_or_insert(at);
    let since = at.saturating_duration_since(began).as_millis();
    Timestamp::from_millisecond(1_800_000_000_000 + i64::try_from(since).unwrap()).unwrap()
}

#[async_trait]
impl LeaseStore for Line {
    async fn list(&self) -> Result<Listed> {
        self.way().await?;
        let listed = {
            let service = &self.service;
            let now = time(service, Instant::now());
            let kept = service.kept.lock().unwrap();
            let leases = kept.iter().map(|(number, (text, at))| Kept {
                number: *number,
                text: text.clone(),
                modified: Some(time(service, *at)),
            });
            Listed {
                leases: leases.collect(),
                now: (!service.is_timeless.load(Ordering::SeqCst)).then_some(now),
            }
        };
        self.way().await?;
        Ok(listed)
    }

    async fn put(&self, number: u64, text: &str) -> Result<bool> {
        self.way().await?;
        let is_new = {
            let mut kept = self.service.kept.lock().unwrap();
            self.service.writes.fetch_add(1, Ordering::SeqCst);
            let is_new = !kept.contains_key(&number);
            if is_new {
                kept.insert(number, (text.to_owned(), Instant::now()));
            }
            is_new
        };
        self.way().await?;
        Ok(is_new)
    }

    async fn overwrite(&self, number: u64, text: &str) -> Result<()> {
        self.way().await?;
        self.service.writes.fetch_add(1, Ordering::SeqCst);
        let entry = (text.to_owned(), Instant::now());
        self.service.kept.lock().unwrap().insert(number, entry);
        self.way().await
    }

    async fn remove(&self, numbers: &[u64]) -> Result<()> {
        self.way().await?;
        self.service
            .kept
            .lock()
            .unwrap()
            .retain(|number, _| !numbers.contains(number));
        self.way().await
    }
}

fn lease(line: &Arc<Line>, by: &str) -> (Lease, Cancel) {
    let cancel = Cancel::new();
    let lease = Lease::new(LeaseOptions {
        environment: "shop/dev".into(),
        store: line.clone(),
        holder: Holder {
            host: format!("{by}s-laptop"),
            // Another machine each: nobody knows whether the others live.
            machine: String::new(),
            ..Holder::here(by, "run-1")
        },
        timings: Timings::AWS,
        cancel: cancel.clone(),
        progress: Arc::new(Silent),
    });
    (lease, cancel)
}

fn newest(service: &Service) -> (u64, Record) {
    let kept = service.kept.lock().unwrap();
    let (number, (text, _)) = kept.last_key_value().unwrap();
    (*number, Record::read(text).unwrap())
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn one_has_it_and_the_other_hears_of_whom() {
    let service = Arc::new(Service::default());
    let (anna, _) = lease(&Line::to(&service), "anna");
    let (ben, _) = lease(&Line::to(&service), "ben");
    anna.hold().await.unwrap();
    sleep(20).await;
    let error = ben.hold().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Busy);
    let message = error.message();
    assert!(
        message.starts_with("shop/dev is held by anna on annas-laptop (process "),
        "{message}"
    );
    assert!(message.ends_with("for 20 s"), "{message}");
    assert!(error.notes()[0].contains("renewed 5.0 s ago"), "{:?}", error.notes());

    anna.release().await.unwrap();
    ben.hold().await.unwrap();
    assert_eq!(newest(&service).0, 2);
    ben.release().await.unwrap();
    let (_, record) = newest(&service);
    assert_eq!(
        (record.is_held(), record.seed),
        (false, None),
        "a clean run leaves no seed"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_costs_two_writes_however_long_it_checks() {
    let service = Arc::new(Service::default());
    let (anna, _) = lease(&Line::to(&service), "anna");
    for name in ["vpc/main", "subnet/a", "subnet/b"] {
        anna.expect(name);
    }
    anna.hold().await.unwrap();
    for name in ["vpc/main", "subnet/a", "subnet/b"] {
        assert_eq!(anna.intend(name).await.unwrap(), None, "nothing to look for");
    }
    assert_eq!(newest(&service).1.intents, ["vpc/main", "subnet/a", "subnet/b"]);
    for name in ["vpc/main", "subnet/a", "subnet/b"] {
        anna.hold().await.unwrap();
        anna.close(name);
    }
    anna.release().await.unwrap();
    assert_eq!(service.writes.load(Ordering::SeqCst), 2);
    // Those that nobody expected are gathered too.
    let (ben, _) = lease(&Line::to(&service), "ben");
    let names = ["address/a", "address/b", "address/c"];
    join_all(names.map(|name| ben.intend(name))).await;
    assert_eq!(service.writes.load(Ordering::SeqCst), 3);
    assert_eq!(newest(&service).1.intents.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_next_run_inherits_what_a_dead_one_left_when_it_has_expired() {
    let service = Arc::new(Service::default());
    let line = Line::to(&service);
    let (anna, _) = lease(&line, "anna");
    anna.intend("vpc/main").await.unwrap();
    anna.intend("address/nat").await.unwrap();
    anna.close("address/nat");
    let seed = anna.seed();
    line.dead.store(true, Ordering::SeqCst);

    let (ben, _) = lease(&Line::to(&service), "ben");
    sleep(74).await;
    assert_eq!(ben.hold().await.unwrap_err().exit(), Exit::Busy);
    sleep(2).await;
    ben.hold().await.unwrap();
    assert_eq!(ben.seed(), seed);
    let until = ben.intend("vpc/main").await.unwrap().expect("it may be there");
    assert_eq!((until - Instant::now()).as_secs(), 60);
    assert_eq!(ben.intend("subnet/a").await.unwrap(), None);
    // It ends without having heard of either: both are looked for again.
    ben.release().await.unwrap();
    let (number, record) = newest(&service);
    assert_eq!(
        (number, record.is_held(), record.seed.as_ref()),
        (2, false, Some(&seed))
    );
    assert_eq!(record.intents, ["address/nat", "subnet/a", "vpc/main"]);

    let (cleo, _) = lease(&Line::to(&service), "cleo");
    cleo.hold().await.unwrap();
    assert_eq!(cleo.seed(), seed);
    cleo.renew_seed().await.unwrap();
    assert_ne!(cleo.seed(), seed);
    for name in ["address/nat", "subnet/a", "vpc/main"] {
        assert!(cleo.unseen().is_some());
        cleo.close(name);
    }
    assert!(cleo.unseen().is_none());
    cleo.release().await.unwrap();
    let (_, record) = newest(&service);
    assert_eq!((record.seed, record.intents), (None, vec![]));
}

/// A call that failed without an answer may have taken effect: the next run sends the same token.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_unsure_leaves_its_seed_and_a_clean_one_does_not() {
    let service = Arc::new(Service::default());
    let line = Line::to(&service);
    let (first, _) = lease(&line, "anna");
    first.hold().await.unwrap();
    let seed = first.seed();
    first.unsure();
    first.release().await.unwrap();
    let (second, _) = lease(&line, "ben");
    second.hold().await.unwrap();
    assert_eq!(second.seed(), seed);
    second.release().await.unwrap();
    let (third, _) = lease(&line, "ben");
    third.hold().await.unwrap();
    assert_ne!(third.seed(), seed);
}

#[tokio::test(start_paused = true)]
async fn without_a_renewal_no_write_starts() {
    let service = Arc::new(Service::default());
    let line = Line::to(&service);
    let (anna, _) = lease(&line, "anna");
    anna.hold().await.unwrap();
    sleep(300).await;
    anna.hold().await.unwrap();
    // From now on nothing comes through.
    line.dead.store(true, Ordering::SeqCst);
    sleep(20).await;
    anna.hold().await.unwrap();
    sleep(10).await;
    let late = tokio::time::timeout(Duration::from_secs(600), anna.hold()).await;
    assert!(late.is_err(), "a write started 45 s after the last renewal");
}

#[tokio::test(start_paused = true)]
async fn who_lost_it_stops_at_its_next_look() {
    let service = Arc::new(Service::default());
    let (anna, cancelled) = lease(&Line::to(&service), "anna");
    anna.hold().await.unwrap();
    let (ben, _) = lease(&Line::to(&service), "ben");
    let found = ben.look().await.unwrap().unwrap();
    assert!(!found.is_free && found.record.holder.by == "anna");
    ben.unlock(&found).await.unwrap();
    assert_eq!(ben.unlock(&found).await.unwrap_err().exit(), Exit::Busy, "only once");

    // Anna may be writing until she looks; her run is interrupted then, and says why.
    let began = Instant::now();
    let waiting = tokio::spawn({
        let ben = ben.clone();
        async move { ben.hold().await.map(|()| Instant::now()) }
    });
    cancelled.cancelled().await;
    assert!(began.elapsed() <= Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(anna.hold().await.unwrap_err().exit(), Exit::Busy);
    sleep(10).await;
    assert!(!waiting.is_finished(), "what anna sent is not answered yet");
    let error = anna.release().await.unwrap_err();
    assert!(
        error
            .message()
            .contains("was taken from this run by ben on bens-laptop"),
        "{error}"
    );
    let ready = waiting.await.unwrap().unwrap();
    assert!(ready - began < Duration::from_secs(30), "{:?}", ready - began);
}

#[tokio::test(start_paused = true)]
async fn without_the_services_time_nothing_expires_and_an_unlock_still_helps() {
    let service = Arc::new(Service::default());
    service.is_timeless.store(true, Ordering::SeqCst);
    let line = Line::to(&service);
    let (anna, _) = lease(&line, "anna");
    anna.hold().await.unwrap();
    line.dead.store(true, Ordering::SeqCst);
    let (ben, _) = lease(&Line::to(&service), "ben");
    sleep(3600).await;
    let error = ben.hold().await.unwrap_err();
    assert!(
        error.notes()[0].contains("does not tell its time"),
        "{:?}",
        error.notes()
    );
    let found = ben.look().await.unwrap().unwrap();
    ben.unlock(&found).await.unwrap();
    ben.hold().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn more_intents_than_fit_wait_for_room() {
    let service = Arc::new(Service::default());
    let (anna, _) = lease(&Line::to(&service), "anna");
    let names: Vec<_> = (0..300)
        .map(|number| format!("subnet/of-a-long-name-{number:03}"))
        .collect();
    let begun = Arc::new(AtomicUsize::new(0));
    let all = names.iter().map(|name| {
        let (anna, begun, service) = (anna.clone(), begun.clone(), service.clone());
        async move {
            anna.intend(name).await.unwrap();
            assert!(newest(&service).1.intents.contains(name), "{name} is not written");
            begun.fetch_add(1, Ordering::SeqCst);
            sleep(5).await;
            anna.close(name);
        }
    });
    join_all(all).await;
    assert_eq!(begun.load(Ordering::SeqCst), 300);
    anna.release().await.unwrap();
    assert_eq!(newest(&service).1.intents, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn old_leases_go_and_the_newest_stays() {
    let service = Arc::new(Service::default());
    for number in 1..=20 {
        let (anna, _) = lease(&Line::to(&service), "anna");
        anna.hold().await.unwrap();
        anna.release().await.unwrap();
        assert_eq!(newest(&service).0, number);
        assert!(service.kept.lock().unwrap().len() <= 8);
        sleep(60).await;
    }
}

/// Many take an expired lease at the same moment: one gets it.
#[test]
fn of_those_that_take_an_expired_lease_at_once_one_gets_it() {
    for seed in 0..200 {
        in_virtual_time(async move {
            let service = Arc::new(Service::default());
            let line = Line::to(&service);
            let (anna, _) = lease(&line, "anna");
            anna.hold().await.unwrap();
            line.dead.store(true, Ordering::SeqCst);
            sleep(80).await;
            let mut rng = StdRng::seed_from_u64(seed);
            let takers: Vec<_> = (0..4)
                .map(|number| {
                    let delay = Duration::from_millis(rng.random_range(0..3));
                    let taker = lease(&Line::to(&service), &format!("taker-{number}")).0;
                    async move {
                        tokio::time::sleep(delay).await;
                        let taken = taker.hold().await;
                        (taker, taken)
                    }
                })
                .collect();
            let taken = join_all(takers).await;
            let winners = taken.iter().filter(|(_, taken)| taken.is_ok()).count();
            assert_eq!(winners, 1, "seed {seed}");
            for (_, taken) in &taken {
                if let Err(error) = taken {
                    assert_eq!(error.exit(), Exit::Busy, "seed {seed}: {error}");
                }
            }
        });
    }
}

fn in_virtual_time(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work);
}

/// A write: who, from when to when.
type Write = (usize, Instant, Instant);

/// One process: runs one after the other, some of which die.
async fn process(number: usize, service: Arc<Service>, seed: u64, writes: Arc<Mutex<Vec<Write>>>) {
    let mut rng = StdRng::seed_from_u64(seed);
    for life in 0..4 {
        let line = Arc::new(Line {
            service: service.clone(),
            weather: Some(Mutex::new(StdRng::seed_from_u64(seed ^ (life + 1) << 8))),
            dead: AtomicBool::new(false),
        });
        let (lease, cancel) = lease(&line, &format!("run-{number}-{life}"));
        let dies = rng.random_range(0..3) == 0;
        for _ in 0..rng.random_range(1..12) {
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..20_000))).await;
            if cancel.is_cancelled() || lease.hold().await.is_err() {
                continue;
            }
            // A call takes up to its time limit. Whether it ends with the process nobody knows.
            let began = Instant::now();
            let end = began + Duration::from_millis(rng.random_range(0..30_000));
            writes.lock().unwrap().push((number * 10 + life as usize, began, end));
            tokio::time::sleep_until(end).await;
        }
        if dies {
            line.dead.store(true, Ordering::SeqCst);
            continue;
        }
        // Also a process that cannot reach the service ends.
        let _ = tokio::time::timeout(Duration::from_secs(200), lease.release()).await;
        line.dead.store(true, Ordering::SeqCst);
    }
}

/// Somebody who unlocks without thinking.
async fn unlocker(service: Arc<Service>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let (lease, _) = lease(&Line::to(&service), "impatient");
    for _ in 0..rng.random_range(0..4) {
        sleep(rng.random_range(10..200)).await;
        if let Ok(Some(found)) = lease.look().await {
            let _ = lease.unlock(&found).await;
        }
    }
}

/// Slow calls, lost answers, dead processes, hasty unlocks: never do two runs write at once. `IACSH_LEASES=5000` does it
/// so often.
#[test]
fn two_runs_never_write_at_once() {
    let cases: u32 = std::env::var("IACSH_LEASES").map_or(150, |cases| cases.parse().unwrap());
    let (mut total, mut runs) = (0, 0);
    for case in 0..u64::from(cases) {
        let writes: Arc<Mutex<Vec<Write>>> = Arc::default();
        let all = writes.clone();
        in_virtual_time(async move {
            let service = Arc::new(Service::default());
            let processes =
                (0..3).map(|number| process(number, service.clone(), case * 10 + number as u64, all.clone()));
            tokio::join!(join_all(processes), unlocker(service.clone(), case));
        });
        let writes = writes.lock().unwrap();
        for (one, began, end) in writes.iter() {
            for (other, other_began, other_end) in writes.iter() {
                let overlap = began < other_end && other_began < end;
                assert!(
                    one == other || !overlap,
                    "case {case}: the runs {one} and {other} write at once"
                );
            }
        }
        total += writes.len();
        runs += writes.iter().map(|(run, ..)| *run).collect::<BTreeSet<_>>().len();
    }
    println!("{cases} cases: {total} writes of {runs} runs, never two at once");
    assert!(runs > cases as usize, "{runs} runs wrote in {cases} cases");
}

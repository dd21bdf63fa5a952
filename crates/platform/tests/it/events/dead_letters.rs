//! Events that fail: tried again, set aside, and brought once more.

use platform::both_databases;

use super::*;

/// Writes down which user registered; until somebody cures it, it fails over what [`Register`] fails over.
#[derive(Debug)]
struct Patient {
    order: Order,
    is_well: AtomicBool,
}

impl Patient {
    fn new(order: Order) -> Arc<Self> {
        Arc::new(Self { order, is_well: AtomicBool::new(false) })
    }
}

#[async_trait]
impl EventHandler for Patient {
    fn name(&self) -> &'static str {
        "patient"
    }

    fn types(&self) -> &'static [&'static str] {
        &[UserRegistered::TYPE]
    }

    fn order(&self) -> Order {
        self.order
    }

    async fn handle(&self, tx: &Transaction, event: &Envelope) -> Result<(), HandlerError> {
        match Register.handle(tx, event).await {
            Err(_) if self.is_well.load(Ordering::Relaxed) => Ok(()),
            handled => handled,
        }
    }
}

fn relay_of(test: &TestDb, clock: &ManualClock, handler: &Arc<Patient>) -> Relay {
    let bus = Arc::new(LocalBus::default());
    Relay::new(test.db().clone(), Arc::new(clock.clone()), bus, vec![handler.clone()])
}

async fn reasons(test: &TestDb) -> Vec<String> {
    let mut dead = DeadLetter::list(test.db(), 10).await.unwrap();
    dead.reverse();
    dead.into_iter().map(|letter| letter.reason).collect()
}

async fn sorted(test: &TestDb) -> Vec<i64> {
    let mut found = registered(test.db()).await;
    found.sort_unstable();
    found
}

both_databases! {
    async fn an_event_that_fails_holds_up_nothing_where_order_does_not_matter(test: &TestDb) {
        let clock = ManualClock::at(1_700_000_000_000);
        let outbox = set_up(test, Arc::new(clock.clone())).await;
        append(test, &outbox, 12..=15).await;
        let relay = relay_of(test, &clock, &Patient::new(Order::Any));
        relay.bring_now().await.unwrap();
        assert_eq!(registered(test.db()).await, [12, 15]);
        append(test, &outbox, [16]).await;
        relay.bring_now().await.unwrap();
        assert_eq!(registered(test.db()).await, [12, 15, 16], "what has failed waits by itself");
        assert_eq!(reasons(test).await, [""; 0]);
        let waiting = "SELECT count(*) FROM event_receipts WHERE retry_at IS NOT NULL";
        assert_eq!(test.count(waiting).await, 2);
        for _ in 0..5 {
            clock.jump(60_000);
            relay.bring_now().await.unwrap();
        }
        assert_eq!(reasons(test).await, ["thirteen is unlucky", "the handler panicked"]);
        assert_eq!(test.count("SELECT count(*) FROM event_receipts").await, 0);
        assert_eq!(test.count("SELECT position FROM event_handlers").await, 5);
    }

    async fn a_dead_letter_is_brought_again_when_somebody_asks_for_it(test: &TestDb) {
        check_requeue(test, Order::Any).await;
    }

    async fn a_dead_letter_of_an_ordered_handler_is_brought_out_of_its_turn(test: &TestDb) {
        check_requeue(test, Order::ByPlace).await;
    }
}

async fn check_requeue(test: &TestDb, order: Order) {
    let clock = ManualClock::at(1_700_000_000_000);
    let outbox = set_up(test, Arc::new(clock.clone())).await;
    append(test, &outbox, [12, 13, 15]).await;
    let patient = Patient::new(order);
    let relay = relay_of(test, &clock, &patient);
    for _ in 0..6 {
        relay.bring_now().await.unwrap();
        clock.jump(60_000);
    }
    assert_eq!((sorted(test).await, reasons(test).await.len()), (vec![12, 15], 1));
    // Whose fault it was is not over yet.
    assert_eq!(DeadLetter::requeue(test.db(), "patient", clock.now_ms()).await.unwrap(), 1);
    relay.bring_now().await.unwrap();
    assert_eq!((sorted(test).await, reasons(test).await.len()), (vec![12, 15], 1));
    patient.is_well.store(true, Ordering::Relaxed);
    relay.bring_now().await.unwrap();
    assert_eq!(reasons(test).await.len(), 1, "nobody asked for it again");
    assert_eq!(DeadLetter::requeue(test.db(), "patient", clock.now_ms()).await.unwrap(), 1);
    relay.bring_now().await.unwrap();
    relay.bring_now().await.unwrap();
    assert_eq!((sorted(test).await, reasons(test).await), (vec![12, 13, 15], Vec::new()));
    assert_eq!(DeadLetter::requeue(test.db(), "nobody", clock.now_ms()).await.unwrap(), 0);
}

//! Refresh tokens: lost answers and two tabs are let pass, copies are not.

use kernel::Role;
use platform::{both_databases, testing::TestDb};

use super::fixture::{MINUTE_MS, held, world};

both_databases! {
    async fn a_session_goes_on_from_token_to_token(test: &TestDb) {
        let world = world(test).await;
        let mut held_now = world.newcomer("ann@example.org", Role::Creator).await;
        for _ in 0..5 {
            let next = held(&world.refresh(&held_now.refresh).await);
            assert_ne!(next.refresh, held_now.refresh);
            assert_eq!(world.me(&next.access).await, 200);
            held_now = next;
        }
    }

    async fn an_answer_that_was_lost_can_be_asked_for_again(test: &TestDb) {
        let world = world(test).await;
        let first = world.newcomer("ann@example.org", Role::Creator).await;
        world.refresh(&first.refresh).await;
        world.clock.jump(60 * MINUTE_MS);
        let again = held(&world.refresh(&first.refresh).await);
        assert_eq!(world.refresh(&again.refresh).await.status, 200);
    }

    async fn a_token_shown_after_its_successor_ends_the_session_for_all(test: &TestDb) {
        let world = world(test).await;
        let admin = world.newcomer("admin@example.org", Role::Admin).await;
        let stolen = world.newcomer("ann@example.org", Role::Creator).await;
        let second = held(&world.refresh(&stolen.refresh).await);
        let third = held(&world.refresh(&second.refresh).await);
        assert_eq!(world.refresh(&stolen.refresh).await.status, 401, "a copy");
        assert_eq!(world.me(&third.access).await, 401, "whoever holds a token of it");
        assert_eq!(world.refresh(&third.refresh).await.status, 401);
        assert!(world.acts(&admin.access).await.contains(&"session.replayed".to_owned()));
    }

    async fn a_thief_who_is_first_is_found_out_when_the_owner_comes(test: &TestDb) {
        let world = world(test).await;
        let owner = world.newcomer("ann@example.org", Role::Creator).await;
        let thief = held(&world.refresh(&owner.refresh).await);
        let thief = held(&world.refresh(&thief.refresh).await);
        assert_eq!(world.refresh(&owner.refresh).await.status, 401);
        assert_eq!((world.me(&thief.access).await, world.refresh(&thief.refresh).await.status.as_u16()), (401, 401));
    }

    async fn two_tabs_at_once_do_not_sign_each_other_out(test: &TestDb) {
        let world = world(test).await;
        for kept in 0..3 {
            let start = world.newcomer(&format!("ann{kept}@example.org"), Role::Creator).await;
            let refresh = || {
                let call = world.server.post("/api/v1/auth/refresh");
                tokio::spawn(call.json(&serde_json::json!({ "refresh_token": start.refresh })).send())
            };
            let answers = futures::future::join_all([refresh(), refresh(), refresh()]).await;
            let held_now: Vec<_> = answers.into_iter().map(|answer| held(&answer.unwrap())).collect();
            for tab in &held_now {
                assert_eq!(world.me(&tab.access).await, 200);
            }
            // The tabs share one jar, in which whatever was answered last lies.
            let next = held(&world.refresh(&held_now[kept].refresh).await);
            assert_eq!(world.refresh(&next.refresh).await.status, 200, "tab {kept}");
        }
    }

    async fn two_who_take_turns_are_found_out(test: &TestDb) {
        let world = world(test).await;
        let start = world.newcomer("ann@example.org", Role::Creator).await;
        let owner = held(&world.refresh(&start.refresh).await);
        let thief = held(&world.refresh(&start.refresh).await);
        world.clock.jump(10 * MINUTE_MS);
        assert_eq!(world.refresh(&thief.refresh).await.status, 200);
        assert_eq!(world.refresh(&owner.refresh).await.status, 401);
        assert_eq!(world.me(&owner.access).await, 401, "the session has ended");
    }

    async fn what_is_no_refresh_token_is_refused(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        let unknown = format!("prr_{}", "A".repeat(43));
        for odd in ["", "x", &held.access, &unknown, &format!("{} ", held.refresh), &held.refresh.replace("prr_", "prk_")] {
            assert_eq!(world.refresh(odd).await.status, 401, "{odd}");
        }
        assert_eq!(world.me(&held.refresh).await, 401, "a refresh token is no access token");
    }
}

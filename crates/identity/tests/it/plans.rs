//! Every query of identity is served by an index.

use platform::{both_databases, db::migrate, testing::TestDb};

const ID: &str = "'019ac700-0000-7000-8000-000000000000'";

both_databases! {
    async fn every_list_and_look_up_uses_an_index(test: &TestDb) {
        migrate::up(test.db(), &[identity::migrations()]).await.unwrap();
        for (query, index) in [
            ("SELECT * FROM users ORDER BY id DESC LIMIT 51".to_owned(), "users_pkey"),
            ("SELECT * FROM users WHERE email = 'ann@example.org'".to_owned(), "users_email"),
            (format!("SELECT * FROM users WHERE role = 'admin' AND id < {ID} ORDER BY id DESC LIMIT 51"), "users_role"),
            ("SELECT * FROM users WHERE plan = 'free' ORDER BY id DESC LIMIT 51".to_owned(), "users_plan"),
            ("SELECT * FROM users WHERE status = 'banned' ORDER BY id DESC LIMIT 51".to_owned(), "users_status"),
            (format!("SELECT * FROM sessions WHERE user_id = {ID} ORDER BY id DESC LIMIT 200"), "sessions_user"),
            ("SELECT * FROM sessions WHERE cookie_hash = 'x'".to_owned(), "sessions_cookie"),
            ("SELECT id FROM sessions WHERE expires_at < '2026-11-28 00:00:00+00'".to_owned(), "sessions_expiry"),
            (format!("SELECT * FROM refresh_tokens WHERE session_id = {ID}"), "refresh_tokens_session"),
            ("SELECT * FROM refresh_tokens WHERE hash = 'x'".to_owned(), "refresh_tokens_pkey"),
            ("SELECT * FROM password_resets WHERE hash = 'x'".to_owned(), "password_resets_hash"),
            (format!("SELECT * FROM api_keys WHERE user_id = {ID} AND id < {ID} ORDER BY id DESC LIMIT 51"), "api_keys_user"),
            ("SELECT * FROM api_keys WHERE hash = 'x'".to_owned(), "api_keys_hash"),
            ("SELECT * FROM audit_log WHERE number > 7 ORDER BY number LIMIT 500".to_owned(), "audit_log_pkey"),
            ("SELECT * FROM audit_log WHERE act = 'x' AND number < 7 ORDER BY number DESC LIMIT 51".to_owned(), "audit_log_act"),
            (format!("SELECT * FROM audit_log WHERE actor = {ID} ORDER BY number DESC LIMIT 51"), "audit_log_actor"),
        ] {
            test.assert_served(&query, &[index]).await;
        }
    }
}

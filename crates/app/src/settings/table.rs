//! What each setting means, once: the reference in `docs/configuration.md` is written from this table.

use platform::config::Setting;

/// Every setting, in the order of the reference.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "data",
        takes: "a folder",
        default: "the platform's data folder, `~/.local/share/pressroom` on Linux",
        meaning: "Where kept results and unfinished work lie. Needs room for the results of `cache.max_bytes` and for \
                  the video being made.",
    },
    Setting {
        key: "jobs",
        takes: "1 to 512",
        default: "as many as there are processors",
        meaning: "How many segments of a video are made at once. Fewer where memory does not allow it.",
    },
    Setting {
        key: "memory_bytes",
        takes: "bytes, at least 268435456",
        default: "half of what the machine or its control group allows",
        meaning: "Memory that work may use. What needs more than is free waits.",
    },
    Setting {
        key: "cache.max_bytes",
        takes: "bytes",
        default: "20000000000",
        meaning: "Results that stay after a run; the least recently used go first.",
    },
    Setting {
        key: "cache.max_age_days",
        takes: "1 to 36500",
        default: "30",
        meaning: "Days that a result stays after its last use.",
    },
    Setting {
        key: "cache.shared_max_bytes",
        takes: "bytes",
        default: "50000000000",
        meaning: "Results that workers of a team share through the store of files; the least recently used go first, but none \
                  that was used within a day.",
    },
    Setting {
        key: "cache.shared_max_age_days",
        takes: "1 to 36500",
        default: "7",
        meaning: "Days that a shared result stays after its last use.",
    },
    Setting {
        key: "programs.ffmpeg",
        takes: "a file",
        default: "`ffmpeg` of the search path",
        meaning: "The FFmpeg to use. `ffprobe` is looked for beside it.",
    },
    Setting {
        key: "programs.speech",
        takes: "a file",
        default: "`pressroom-speech` beside this program, then of the search path",
        meaning: "The program that speaks.",
    },
    Setting {
        key: "programs.onnxruntime",
        takes: "a file",
        default: "`libonnxruntime.so` beside this program, then where libraries usually are",
        meaning: "The library of ONNX Runtime, 1.17 or later, which models that separate voices and tell speakers apart \
                  need.",
    },
    Setting {
        key: "log.format",
        takes: "`human` or `json`",
        default: "`human`",
        meaning: "Lines for people, or one JSON object a line, on standard error.",
    },
    Setting {
        key: "database.max_connections",
        takes: "2 to 1000",
        default: "10",
        meaning: "Connections of this process to PostgreSQL, and as many to a replica; readers of SQLite. One more watches each \
                  server. All processes together stay below PostgreSQL's `max_connections`.",
    },
    Setting {
        key: "database.acquire_timeout_s",
        takes: "1 to 300",
        default: "10",
        meaning: "Seconds that work waits for a connection, and for a server that takes writes.",
    },
    Setting {
        key: "database.max_lifetime_minutes",
        takes: "1 to 1440",
        default: "30",
        meaning: "Minutes after which a connection is made anew.",
    },
    Setting {
        key: "database.idle_timeout_minutes",
        takes: "1 to 1440",
        default: "10",
        meaning: "Minutes after which a connection that nobody uses is closed.",
    },
    Setting {
        key: "database.statement_timeout_s",
        takes: "1 to 3600",
        default: "30",
        meaning: "Seconds that a statement may run in PostgreSQL.",
    },
    Setting {
        key: "database.idle_transaction_timeout_s",
        takes: "1 to 3600",
        default: "60",
        meaning: "Seconds that a transaction of PostgreSQL may stand still.",
    },
    Setting {
        key: "database.pooler",
        takes: "`none` or `transaction`",
        default: "`none`",
        meaning: "`transaction` where `DATABASE_URL` leads to PgBouncer with `pool_mode = transaction`, or to what works like it.",
    },
    Setting {
        key: "database.replica_max_lag_s",
        takes: "1 to 60",
        default: "5",
        meaning: "Seconds that the replica of `DATABASE_REPLICA_URL` may be behind while it is read from.",
    },
    Setting {
        key: "server.listen",
        takes: "an address with a port",
        default: "`127.0.0.1:8080`",
        meaning: "Where `pressroom serve` listens.",
    },
    Setting {
        key: "server.public_url",
        takes: "a web address",
        default: "`http://localhost` with the port",
        meaning: "How users reach the server; `https://…` where a proxy in front encrypts. Cookies and links \
                  are made for it.",
    },
    Setting {
        key: "server.trusted_proxies",
        takes: "networks, such as `10.0.0.0/8`",
        default: "none",
        meaning: "Networks of proxies whose `X-Forwarded-For` is believed.",
    },
    Setting {
        key: "server.cors_origins",
        takes: "origins, such as `https://app.example.org`",
        default: "none",
        meaning: "Other origins whose pages may use the API with cookies.",
    },
    Setting {
        key: "server.metrics_from",
        takes: "networks",
        default: "`127.0.0.1/32,::1/128`",
        meaning: "Networks that may read `/metrics`.",
    },
    Setting {
        key: "server.max_connections",
        takes: "1 to 1000000",
        default: "4096",
        meaning: "Connections at a time; more wait.",
    },
    Setting {
        key: "server.max_body_bytes",
        takes: "bytes, at least 1024",
        default: "1048576",
        meaning: "Bytes of a body, where a route does not say otherwise.",
    },
    Setting {
        key: "server.request_timeout_s",
        takes: "1 to 3600",
        default: "30",
        meaning: "Seconds that a request may take, where its route does not say otherwise.",
    },
    Setting {
        key: "server.idle_timeout_s",
        takes: "1 to 3600",
        default: "10",
        meaning: "Seconds that a client may take to send the head of a request, and to pause within a body.",
    },
    Setting {
        key: "server.shutdown_timeout_s",
        takes: "1 to 3600",
        default: "25",
        meaning: "Seconds that requests have to end once the server is told to.",
    },
    Setting {
        key: "server.user_units_per_minute",
        takes: "a number, at least 1",
        default: "600",
        meaning: "Units of requests that a user may spend in a minute; a plain request costs one.",
    },
    Setting {
        key: "server.address_units_per_minute",
        takes: "a number, at least 1",
        default: "1200",
        meaning: "Units of requests that an address may spend in a minute.",
    },
    Setting {
        key: "storage.folder",
        takes: "a folder",
        default: "`files` in the data folder",
        meaning: "Where the files of users lie.",
    },
    Setting {
        key: "storage.url",
        takes: "`s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix` or `file:///folder`",
        default: "`storage.folder`",
        meaning: "The store of the files of users. Its credentials come from [the environment](storage.md).",
    },
    Setting {
        key: "storage.ca_file",
        takes: "a file",
        default: "none",
        meaning: "Certificates, in PEM, that may vouch for the store beside those of the system.",
    },
    Setting {
        key: "storage.timeout_s",
        takes: "1 to 3600",
        default: "60",
        meaning: "Seconds that the store may take to answer, and to send or take the next bytes.",
    },
    Setting {
        key: "storage.direct_links",
        takes: "`true` or `false`",
        default: "`false`",
        meaning: "Whether downloads lead to the store itself, where it can sign addresses (S3 and Google's).",
    },
    Setting {
        key: "storage.encrypt",
        takes: "`true` or `false`",
        default: "`false`",
        meaning: "Whether files are encrypted from now on, with keys that the secret key opens.",
    },
    Setting {
        key: "storage.max_file_bytes",
        takes: "bytes",
        default: "10000000000",
        meaning: "Bytes that one file may have.",
    },
    Setting {
        key: "storage.user_quota_bytes",
        takes: "bytes",
        default: "50000000000",
        meaning: "Bytes that the files and uploads of one user may have together.",
    },
    Setting {
        key: "storage.min_free_bytes",
        takes: "bytes",
        default: "1000000000",
        meaning: "Bytes of the disk that stay free whatever users store.",
    },
    Setting {
        key: "storage.upload_expires_hours",
        takes: "1 to 8760",
        default: "24",
        meaning: "Hours that an upload may pause before it is given up.",
    },
    Setting {
        key: "storage.max_link_hours",
        takes: "1 to 8760",
        default: "168",
        meaning: "Hours that a link to a file holds at most.",
    },
    Setting {
        key: "storage.clamd",
        takes: "`tcp://host:3310` or `unix:///run/clamav/clamd.ctl`",
        default: "none",
        meaning: "Where a virus scanner listens (ClamAV's daemon); every file is then scanned before it is one.",
    },
    Setting {
        key: "identity.sign_up",
        takes: "`open` or `closed`",
        default: "`open`",
        meaning: "Whether strangers may make accounts of their own.",
    },
    Setting {
        key: "identity.algorithm",
        takes: "`hs256` or `eddsa`",
        default: "`hs256`",
        meaning: "How access tokens are signed: with the secret key, or with keys whose public halves are at \
                  `/.well-known/jwks.json`.",
    },
    Setting {
        key: "identity.access_token_s",
        takes: "60 to 86400",
        default: "900",
        meaning: "Seconds that an access token is good for.",
    },
    Setting {
        key: "identity.session_idle_days",
        takes: "1 to 3650",
        default: "14",
        meaning: "Days that a session lasts without being used.",
    },
    Setting {
        key: "identity.session_days",
        takes: "1 to 3650",
        default: "90",
        meaning: "Days that a session lasts at all.",
    },
    Setting {
        key: "identity.password_reset_minutes",
        takes: "5 to 1440",
        default: "30",
        meaning: "Minutes that a link to a new password is good for.",
    },
    Setting {
        key: "identity.signing_key_days",
        takes: "1 to 3650",
        default: "30",
        meaning: "Days until a new key signs access tokens.",
    },
    Setting {
        key: "identity.hashing.memory_kib",
        takes: "8192 to 1048576",
        default: "19456",
        meaning: "Memory that hashing one password takes (Argon2id), in KiB.",
    },
    Setting { key: "identity.hashing.passes", takes: "1 to 16", default: "2", meaning: "Passes over that memory." },
    Setting {
        key: "identity.hashing.at_a_time",
        takes: "1 to 64",
        default: "2",
        meaning: "Passwords hashed at a time; more wait.",
    },
    Setting {
        key: "mail.server",
        takes: "a host",
        default: "none: no mail is sent",
        meaning: "The SMTP server that letters are handed to. Its password stands in `SMTP_PASSWORD`.",
    },
    Setting { key: "mail.port", takes: "a port", default: "587", meaning: "The port of that server." },
    Setting {
        key: "mail.encryption",
        takes: "`start_tls`, `tls` or `none`",
        default: "`start_tls`",
        meaning: "How the connection is encrypted; `none` is for a server on this machine.",
    },
    Setting { key: "mail.user", takes: "a name", default: "none", meaning: "The name to sign in with." },
    Setting {
        key: "mail.from",
        takes: "a name and an address",
        default: "`Pressroom <pressroom@localhost>`",
        meaning: "Who letters come from.",
    },
    Setting {
        key: "lookups.memory_bytes",
        takes: "bytes",
        default: "33554432",
        meaning: "Memory of a server for what it looked up a moment ago: who is behind a token, rows of files.",
    },
    Setting {
        key: "lookups.disk_bytes",
        takes: "bytes",
        default: "268435456",
        meaning: "Bytes on the disk for the same, where a team shares a Redis; for all processes of a data folder.",
    },
    Setting {
        key: "worker.concurrency",
        takes: "1 to 512",
        default: "as many as there are processors",
        meaning: "Jobs that a worker does at a time, of all kinds together; one video at a time of those.",
    },
    Setting {
        key: "worker.listen",
        takes: "an address with a port",
        default: "none",
        meaning: "Where `pressroom worker` answers how it is: `/livez`, `/readyz`, `/health` and, to `server.metrics_from`, \
                  `/metrics`.",
    },
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use serde_json::Value;

    use platform::config::reference;

    use super::*;
    use crate::settings::Settings;

    fn keys(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(entries) => {
                for (name, value) in entries {
                    keys(&format!("{prefix}.{name}"), value, found);
                }
            }
            _ => drop(found.insert(prefix.trim_start_matches('.').to_owned())),
        }
    }

    #[test]
    fn every_setting_is_in_the_table() {
        let mut found = BTreeSet::new();
        keys("", &serde_json::to_value(Settings::default()).unwrap(), &mut found);
        assert_eq!(found, SETTINGS.iter().map(|setting| setting.key.to_owned()).collect());
    }

    #[test]
    fn the_reference_is_up_to_date() {
        let reference = || reference(SETTINGS, "crates/app/src/settings/table.rs");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, reference()).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == reference(),
            "docs/configuration.md is old; UPDATE_DOCS=1 cargo test -p pressroom writes it"
        );
    }
}

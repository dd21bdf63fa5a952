//! Letters with links to new passwords, and a real server of SMTP that takes them.

use super::fixture::{MINUTE_MS, PASSWORD, World, world};
use axum::http::Method;
use identity::{Encryption, Letter, MailError, MailSettings, Mailer, SmtpMailer};
use kernel::Role;
use platform::{both_databases, testing::TestDb};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout},
};

const NEW: &str = "another good password";

/// Has the letters sent that were asked for.
async fn send_letters(world: &World) {
    world.service.send_waiting_letters().await;
}

async fn ask(world: &World, email: &str) -> platform::testing::Answer {
    world.server.post("/api/v1/auth/password-reset").json(&json!({ "email": email })).send().await
}

fn token_of(letter: &Letter) -> String {
    let link = letter.body.lines().find(|line| line.contains("#token=")).unwrap();
    link.split_once("#token=").unwrap().1.to_owned()
}

async fn confirm(world: &World, token: &str) -> platform::testing::Answer {
    let call = world.server.post("/api/v1/auth/password-reset/confirm");
    call.json(&json!({ "token": token, "password": NEW })).send().await
}

both_databases! {
    async fn who_forgot_a_password_sets_another_and_everybody_is_signed_out(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        assert_eq!(ask(&world, "Ann@example.org").await.status, 202);
        send_letters(&world).await;
        let letters = world.mail.letters();
        assert_eq!((letters.len(), letters[0].to.as_str()), (1, "ann@example.org"));
        assert!(letters[0].body.contains("http://localhost:8080/reset-password#token=prp_"), "{}", letters[0].body);
        let token = token_of(&letters[0]);
        assert_eq!(confirm(&world, &token).await.status, 204);
        assert_eq!(world.me(&held.access).await, 401);
        assert_eq!(world.try_log_in("ann@example.org", PASSWORD).await.status, 401);
        assert_eq!(world.try_log_in("ann@example.org", NEW).await.status, 200);
        assert_eq!(confirm(&world, &token).await.problem(), "/problems/validation", "a link is good once");
    }

    async fn nobody_learns_whether_there_is_such_an_address(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        let (known, unknown) = (ask(&world, "ann@example.org").await, ask(&world, "nobody@example.org").await);
        assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
        send_letters(&world).await;
        assert_eq!(world.mail.letters().len(), 1);
    }

    async fn a_link_runs_out_and_a_new_one_takes_its_place(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        ask(&world, "ann@example.org").await;
        send_letters(&world).await;
        ask(&world, "ann@example.org").await;
        send_letters(&world).await;
        let letters = world.mail.letters();
        assert_eq!(confirm(&world, &token_of(&letters[0])).await.status, 422, "there is a newer one");
        world.clock.jump(30 * MINUTE_MS);
        assert_eq!(confirm(&world, &token_of(&letters[1])).await.status, 422, "half an hour has passed");
    }

    async fn nobody_is_sent_letters_without_end(test: &TestDb) {
        let world = world(test).await;
        for email in ["ann@example.org", "nobody@example.org"] {
            for _ in 0..3 {
                assert_eq!(ask(&world, email).await.status, 202);
            }
            assert_eq!(ask(&world, email).await.status, 429);
        }
    }

    async fn a_link_opens_nothing_once_the_password_was_changed_otherwise(test: &TestDb) {
        let world = world(test).await;
        let held = world.newcomer("ann@example.org", Role::Creator).await;
        ask(&world, "ann@example.org").await;
        send_letters(&world).await;
        let change = world.server.call(Method::PUT, "/api/v1/users/me/password").bearer(&held.access);
        let change = change.json(&json!({ "current_password": PASSWORD, "new_password": "one more good password" }));
        assert_eq!(change.send().await.status, 204);
        assert_ne!(confirm(&world, &token_of(&world.mail.letters()[0])).await.status, 204);
    }

    async fn of_two_who_use_a_link_at_once_one_sets_the_password(test: &TestDb) {
        let world = world(test).await;
        world.user("ann@example.org", Role::Creator).await;
        ask(&world, "ann@example.org").await;
        send_letters(&world).await;
        let token = token_of(&world.mail.letters()[0]);
        let answers = futures::future::join_all((0..4).map(|_| confirm(&world, &token))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1);
    }
}

/// A server of SMTP in Python that prints the letters it gets, and ends with this process.
struct SmtpServer {
    _child: Child,
    lines: tokio::io::Lines<BufReader<ChildStdout>>,
    port: u16,
}

const SERVER: &str = r"
import asyncio, sys
from email import message_from_bytes, policy
from aiosmtpd.smtp import SMTP

class Printer:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith('refused'):
            return '550 no such mailbox'
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        message = message_from_bytes(envelope.content, policy=policy.default)
        print('|'.join([','.join(envelope.rcpt_tos), message['To'], message['Subject'], str(len(message.get_all('To')))]), flush=True)
        print(message.get_content().replace('\r', '').replace('\n', '|'), flush=True)
        return '250 OK'

async def main():
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Printer()), '127.0.0.1', 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
";

impl SmtpServer {
    async fn start() -> Self {
        // Debian's own Python has Debian's packages; another may come before it in the search path.
        for python in ["/usr/bin/python3", "python3"] {
            if let Some(server) = Self::start_with(python).await {
                return server;
            }
        }
        panic!("aiosmtpd is missing; install it with `scripts/setup test`");
    }

    #[expect(clippy::disallowed_methods, reason = "a server for a test, which ends when its input does")]
    async fn start_with(python: &str) -> Option<Self> {
        let mut command = tokio::process::Command::new(python);
        command.args(["-c", SERVER]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().ok()?;
        let mut lines = BufReader::new(child.stdout.take()?).lines();
        let port = lines.next_line().await.ok()??.parse().ok()?;
        Some(Self { _child: child, lines, port })
    }

    fn mailer(&self) -> SmtpMailer {
        let settings = MailSettings {
            server: Some("127.0.0.1".to_owned()),
            port: self.port,
            encryption: Encryption::None,
            from: "Press <press@example.org>".to_owned(),
            ..MailSettings::default()
        };
        SmtpMailer::new(&settings, None).unwrap()
    }
}

fn letter(to: &str, name: &str) -> Letter {
    Letter {
        to: to.parse().unwrap(),
        to_name: name.parse().unwrap(),
        subject: "A new password – für Pressroom".to_owned(),
        body: "Hello,\n\nhttps://a.example/#token=prp_x\n".to_owned(),
    }
}

#[tokio::test]
async fn a_letter_arrives_at_a_real_server_as_it_was_written() {
    let mut server = SmtpServer::start().await;
    server.mailer().send(&letter("ann@example.org", "Ann <x@example.org>, Bob")).await.unwrap();
    let head = server.lines.next_line().await.unwrap().unwrap();
    let parts: Vec<_> = head.split('|').collect();
    assert_eq!((parts[0], parts[2], parts[3]), ("ann@example.org", "A new password – für Pressroom", "1"), "{head}");
    let body = server.lines.next_line().await.unwrap().unwrap();
    assert!(body.starts_with("Hello,||https://a.example/#token=prp_x|"), "{body}");
}

#[tokio::test]
async fn a_server_that_refuses_and_one_that_is_not_there_are_told_apart_without_the_address() {
    let server = SmtpServer::start().await;
    let refused = server.mailer().send(&letter("refused@example.org", "Ann")).await.unwrap_err();
    assert!(matches!(refused, MailError::Refused(_)) && !refused.to_string().contains("example.org"), "{refused}");
    let settings = MailSettings {
        server: Some("127.0.0.1".to_owned()),
        port: 9,
        encryption: Encryption::None,
        ..MailSettings::default()
    };
    let gone = SmtpMailer::new(&settings, None).unwrap().send(&letter("ann@example.org", "Ann")).await.unwrap_err();
    assert!(matches!(gone, MailError::Unavailable(_)), "{gone}");
}

#[tokio::test]
async fn without_encryption_a_server_that_was_to_encrypt_gets_no_letter() {
    let server = SmtpServer::start().await;
    let settings = MailSettings { server: Some("127.0.0.1".to_owned()), port: server.port, ..MailSettings::default() };
    assert_eq!(settings.encryption, Encryption::StartTls);
    SmtpMailer::new(&settings, None).unwrap().send(&letter("ann@example.org", "Ann")).await.unwrap_err();
}

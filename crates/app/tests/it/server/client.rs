//! Asks the server as a program of a user's would.

use std::{
    io::{BufRead as _, BufReader},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// The longest that a test waits for a task.
const PATIENCE: Duration = Duration::from_mins(4);

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    pub(crate) address: String,
    pub(crate) token: String,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

fn read(response: ureq::http::Response<ureq::Body>) -> Answer {
    try_read(response).unwrap()
}

fn try_read(response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let (head, mut body) = response.into_parts();
    let body = body.with_config().limit(1 << 30).read_to_vec()?;
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
}

impl Client {
    pub(crate) fn sign_in(address: &str, email: &str, password: &str) -> Self {
        let agent = agent();
        let body = json!({ "email": email, "password": password }).to_string();
        let request = agent.post(format!("{address}/api/v1/auth/login")).header("content-type", "application/json");
        let answer = read(request.send(body.as_bytes()).unwrap()).json();
        let token = answer["tokens"]["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        Self { agent, address: address.to_owned(), token }
    }

    /// The same, of another server.
    pub(crate) fn at(self, address: String) -> Self {
        Self { address, ..self }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let request = self.agent.get(self.url(path)).header("authorization", format!("Bearer {}", self.token));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        read(request.call().unwrap())
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.get_with(path, &[]);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    pub(crate) fn post_with(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        self.try_post(path, body, headers).unwrap()
    }

    /// The answer; an error where the server went away before it gave one.
    pub(crate) fn try_post(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Result<Answer, ureq::Error> {
        let request = self.agent.post(self.url(path)).header("authorization", format!("Bearer {}", self.token));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.header("content-type", "application/json").send(body.to_string().as_bytes())?;
        try_read(response)
    }

    /// Asks for something that is then made.
    pub(crate) fn ask(&self, path: &str, body: &Value) -> Value {
        let answer = self.post_with(path, body, &[]);
        assert_eq!(answer.status, 202, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    pub(crate) fn patch(&self, path: &str, version: &str, body: &Value) -> Answer {
        let request = self.agent.patch(self.url(path)).header("authorization", format!("Bearer {}", self.token));
        let request = request.header("if-match", version).header("content-type", "application/json");
        read(request.send(body.to_string().as_bytes()).unwrap())
    }

    pub(crate) fn delete(&self, path: &str) -> u16 {
        let request = self.agent.delete(self.url(path)).header("authorization", format!("Bearer {}", self.token));
        request.call().unwrap().status().as_u16()
    }

    /// Sends a file in one go, and returns its id.
    pub(crate) fn send_file(&self, name: &str, bytes: &[u8]) -> String {
        let head = format!(
            "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: application/octet-stream\r\n\r\n"
        );
        let body = [head.as_bytes(), bytes, b"\r\n--b--\r\n"].concat();
        let request =
            self.agent.post(self.url("/api/v1/files")).header("authorization", format!("Bearer {}", self.token));
        let answer = read(request.header("content-type", "multipart/form-data; boundary=b").send(&body[..]).unwrap());
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a task has ended, and returns it.
    pub(crate) fn wait(&self, task: &str) -> Value {
        let begun = Instant::now();
        loop {
            let now = self.get(&format!("/api/v1/tasks/{task}"));
            if matches!(now["state"].as_str(), Some("succeeded" | "failed" | "cancelled")) {
                return now;
            }
            assert!(begun.elapsed() < PATIENCE, "{now}");
            sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a task is under way.
    pub(crate) fn wait_for_progress(&self, task: &str, percent: f64) -> Value {
        let begun = Instant::now();
        loop {
            let now = self.get(&format!("/api/v1/tasks/{task}"));
            if now["progress"]["percent"].as_f64().is_some_and(|done| done >= percent) {
                return now;
            }
            assert!(begun.elapsed() < PATIENCE, "{now}");
            sleep(Duration::from_millis(20));
        }
    }

    /// The events of a task, each with its id, its name and its data, from after `seen` on.
    pub(crate) fn follow(&self, task: &str, seen: Option<&str>) -> Vec<(String, String, Value)> {
        let path = format!("/api/v1/tasks/{task}/events");
        let request = self.agent.get(self.url(&path)).header("authorization", format!("Bearer {}", self.token));
        let request = match seen {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        let response = request.call().unwrap();
        if response.status() == 204 {
            return Vec::new();
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let (mut events, mut event) = (Vec::new(), (String::new(), String::new(), Value::Null));
        for line in BufReader::new(response.into_body().into_reader()).lines() {
            let line = line.unwrap();
            match line.split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut event.0),
                Some(("event", name)) => name.clone_into(&mut event.1),
                Some(("data", data)) => event.2 = serde_json::from_str(data).unwrap(),
                _ if line.is_empty() && !event.0.is_empty() => events.push(std::mem::take(&mut event)),
                _ => {}
            }
        }
        events
    }

    /// Tells the states of a task as they come, until the server ends the stream.
    pub(crate) fn follow_until_cut(&self, task: &str, told: &std::sync::mpsc::Sender<String>) {
        let path = format!("/api/v1/tasks/{task}/events");
        let request = self.agent.get(self.url(&path)).header("authorization", format!("Bearer {}", self.token));
        for line in BufReader::new(request.call().unwrap().into_body().into_reader()).lines().map_while(Result::ok) {
            if let Some(data) = line.strip_prefix("data: ") {
                let task: Value = serde_json::from_str(data).unwrap();
                told.send(task["state"].as_str().unwrap().to_owned()).unwrap();
            }
        }
    }

    /// The file of a task that is `role` to it.
    pub(crate) fn file_of(&self, task: &Value, role: &str) -> Vec<u8> {
        let files = task["result"]["files"].as_array().unwrap_or_else(|| panic!("{task}"));
        let file = files.iter().find(|file| file["role"] == role).unwrap_or_else(|| panic!("no {role}: {task}"));
        let answer = self.get_with(file["download_url"].as_str().unwrap(), &[]);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.len() as u64, file["size_bytes"].as_u64().unwrap());
        answer.body
    }
}

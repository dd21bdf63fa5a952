"""Starts a Redis, a server, a worker and a Prometheus, has something made, and asks every query of every dashboard and alert.

Usage: queries.py PROGRAM
"""

import contextlib
import json
import math
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

PATIENCE_S = 90
# Long enough for a few readings, a second apart.
RATE_INTERVAL = "15s"
# Told only by the gateway, and where there is a replica; panels of them may be empty.
ELSEWHERE = re.compile(r"^(gateway|db_replica)_")
FUNCTIONS = {"sum", "count", "max", "min", "rate", "increase", "changes", "topk", "by", "or", "and", "vector", "offset", "time",
             "histogram_quantile", "predict_linear"}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(url, body=None, token=None):
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
        return json.load(answer)


def wait_for(what, ready):
    begun = time.monotonic()
    while not (answer := ready()):
        if time.monotonic() - begun > PATIENCE_S:
            sys.exit(f"check-deploy: {what} did not come within {PATIENCE_S} s")
        time.sleep(0.1)
    return answer


class Team:
    """What runs for the check; all of it ends with it."""

    def __init__(self, program, folder, stack):
        self.program, self.folder, self.stack = program, folder, stack
        self.environment = os.environ | {"PRESSROOM_DATA": f"{folder}/data", "PRESSROOM_LOG": "warn"}
        for name in ("DATABASE_URL", "SECRET_KEY", "REDIS_URL", "PRESSROOM_CONFIG"):
            self.environment.pop(name, None)

    def start(self, *command):
        log = self.stack.enter_context(open(f"{self.folder}/{Path(command[0]).name}.log", "ab"))
        child = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=log)
        self.stack.callback(child.wait, 30)
        self.stack.callback(child.kill)
        return child

    def listen(self, *arguments):
        """Starts a part of Pressroom, and returns where it listens."""
        child = self.start(self.program, *arguments, "--listen", "127.0.0.1:0", "--json")
        told = child.stdout.readline()
        if not told:
            sys.exit(f"check-deploy: pressroom {arguments[0]} did not start: {Path(self.folder, 'pressroom.log').read_text()}")
        return json.loads(told)["address"]

    def redis(self):
        port = free_port()
        self.start("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self.environment["REDIS_URL"] = f"redis://127.0.0.1:{port}"

    def prometheus(self, targets):
        """The configuration that is shipped, with other targets, read every second."""
        config = yaml.safe_load(Path("deploy/prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(Path("deploy/prometheus/alerts.yml").resolve())]
        config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] in targets]
        for job in config["scrape_configs"]:
            job.pop("dns_sd_configs", None)
            job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
        Path(self.folder, "prometheus.yml").write_text(yaml.safe_dump(config))
        port = free_port()
        self.start("prometheus", f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/tsdb",
                   f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn")
        return f"http://127.0.0.1:{port}"

    def sign_in(self, server):
        made = subprocess.run([self.program, "user", "create", "--admin", "ops@example.org", "--json"], env=self.environment,
                              capture_output=True, check=True)
        order = {"email": "ops@example.org", "password": json.loads(made.stdout)["password"]}
        return ask(f"http://{server}/api/v1/auth/login", order)["tokens"]["access_token"]


def make_something(server, token):
    """A narration, and requests of every sort."""
    order = {"script": f"The lamp is lit at {time.monotonic_ns()}.", "settings": {"lang": "en"}}
    task = ask(f"http://{server}/api/v1/audios?format=mp3", order, token)["id"]
    task = wait_for("the narration", lambda: ended(f"http://{server}/api/v1/tasks/{task}", token))
    if task["state"] != "succeeded":
        sys.exit(f"check-deploy: the narration failed: {task}")
    for _ in range(20):
        ask(f"http://{server}/api/v1/tasks", token=token)
    with contextlib.suppress(urllib.error.HTTPError):
        ask(f"http://{server}/nothing")


def ended(url, token):
    task = ask(url, token=token)
    return task if task["state"] in {"succeeded", "failed", "cancelled"} else None


def query(prometheus, expression):
    url = f"{prometheus}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        return ask(url)["data"]["result"]
    except urllib.error.HTTPError as error:
        sys.exit(f"check-deploy: {expression}\ncheck-deploy: {error.read().decode()}")


def has_all(prometheus, expressions):
    return all(query(prometheus, expression) for expression in expressions)


def names_in(expression):
    bare = re.sub(r'"[^"]*"|\boffset \w+|\{[^}]*\}|\[[^\]]*\]|\b(by|on|without|group_left)\s*\([^)]*\)', " ", expression)
    return {name for name in re.findall(r"[a-z_][a-z0-9_]*", bare) if name not in FUNCTIONS}


def check_dashboards(prometheus):
    dashboards = tomllib.loads(Path("deploy/grafana/dashboards.toml").read_text())["dashboard"]
    panels = [(board, panel) for board in dashboards for row in board["row"] for panel in row["panel"]]
    faults, empty = [], 0
    for board, panel in panels:
        for one in panel["queries"]:
            found = query(prometheus, one["expr"].replace("$__rate_interval", RATE_INTERVAL))
            numbers = [sample for sample in found if math.isfinite(float(sample["value"][1]))]
            empty += not numbers
            if not numbers and "empty" not in panel:
                faults.append(f"{board['uid']}, {panel['title']}: nothing for {one['expr']}")
    if faults:
        sys.exit("check-deploy: " + "\ncheck-deploy: ".join(faults))
    print(f"check-deploy: {sum(len(panel['queries']) for _, panel in panels)} queries of {len(panels)} panels work; {empty} find "
          "nothing, and may")


def check_alerts(prometheus):
    told = set(ask(f"{prometheus}/api/v1/label/__name__/values")["data"])
    rules = [rule for group in ask(f"{prometheus}/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
    faults = [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule["health"] != "ok"]
    for rule in rules:
        unknown = {name for name in names_in(rule["query"]) - told if not ELSEWHERE.match(name)}
        faults += [f"{rule['name']}: nobody tells {name}" for name in sorted(unknown)]
    if faults:
        sys.exit("check-deploy: " + "\ncheck-deploy: ".join(faults))
    print(f"check-deploy: the numbers of {len(rules)} alerts are told")


def main():
    with contextlib.ExitStack() as stack:
        team = Team(sys.argv[1], stack.enter_context(tempfile.TemporaryDirectory()), stack)
        team.redis()
        server = team.listen("serve", "--no-worker")
        worker = team.listen("worker")
        prometheus = team.prometheus({"pressroom-server": server, "pressroom-worker": worker})
        token = team.sign_in(server)
        # Something happens before the first reading and between two, for only what grows has a rate.
        make_something(server, token)
        wait_for("Prometheus", lambda: is_there(prometheus))
        first = ["job_attempts_total", "provider_calls_total", "stage_items_total", "up == 1", "jobs_workers > 0"]
        wait_for("the first reading", lambda: has_all(prometheus, first))
        make_something(server, token)
        second = ["changes(job_attempts_total[1m]) > 0", "changes(http_requests_total[1m]) > 0", "rate(process_cpu_seconds_total[15s])"]
        wait_for("the second reading", lambda: has_all(prometheus, second))
        check_dashboards(prometheus)
        check_alerts(prometheus)


def is_there(prometheus):
    try:
        with urllib.request.urlopen(f"{prometheus}/-/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


main()

"""Rules over the image, the Compose file and the manifests that no schema knows, and the settings in them, asked of the program.

Usage: manifests.py PROGRAM SECRETS COMPOSE.json MANIFESTS.yaml...
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

# Packages of `scripts/setup run` that only build.
BUILDS_ONLY = {"gcc", "libc6-dev", "make", "mold", "libespeak-ng-dev"}
# What the image has beside the others: the library for its development files, certificates, the list of fonts, and who reaps.
IMAGE_ONLY = {"libespeak-ng1", "ca-certificates", "fontconfig", "tini"}
# Seconds that requests, or jobs with what they need to stop, have at the end.
DRAIN_S = {"server": 25, "worker": 30}

# Settings that this program does not know yet, because another part of the team brings them.
AWAITED: set[str] = set()

faults = []


def expect(holds, fault):
    if not holds:
        faults.append(fault)


def check_packages():
    script = Path("scripts/setup").read_text()
    needs = re.search(r"needs_to_run='\n(.*?)'", script, re.DOTALL).group(1)
    wanted = {line.split("|")[0] for line in needs.splitlines()} - BUILDS_ONLY | IMAGE_ONLY
    runtime = Path("deploy/Dockerfile").read_text().split("\nFROM ")[-1]
    listed = re.search(r"--no-install-recommends \\\n((?: +[a-z0-9.+-]+ \\\n)+)", runtime).group(1)
    installed = set(listed.replace("\\", "").split())
    expect(installed == wanted, f"Dockerfile: its packages and those of scripts/setup differ in {sorted(installed ^ wanted)}")


def check_settings(place, environment):
    """Asks the program what it thinks of the variables that are set for it."""
    ours = {name: str(value) for name, value in environment.items() if name.startswith("PRESSROOM_") and name not in AWAITED}
    path = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    checked = subprocess.run([sys.argv[1], "config", "check"], env=path | ours, capture_output=True, text=True)
    expect(checked.returncode == 0, f"{place}: {checked.stderr.strip()}")


def check_secrets(place, environment, folder, known):
    """Secrets come from files, and those files are made by make-secrets."""
    for name, value in environment.items():
        if name.endswith("_FILE"):
            at, _, file = str(value).rpartition("/")
            expect(at == folder and file in known, f"{place}: {name} names {value}, which is not there")
        expect(not re.search("PASSWORD|SECRET|TOKEN|KEY|_URL$", name) or name.endswith("_FILE") or name in
               {"AWS_ENDPOINT_URL", "PRESSROOM_STORAGE_URL", "PRESSROOM_SERVER_PUBLIC_URL"},
               f"{place}: {name} holds a secret in the open")


def check_compose(compose, secrets):
    services = compose["services"]
    ours = {name: one for name, one in services.items() if one["image"].startswith("pressroom")}
    for name, one in services.items():
        place = f"compose.yaml: {name}"
        expect(":" in one["image"], f"{place}: the image has no version")
        expect(not one.get("privileged"), f"{place}: it is privileged")
        expect("healthcheck" in one or name in {"grafana", "prometheus", "bucket"}, f"{place}: nobody asks how it is")
        expect("limits" in one.get("deploy", {}).get("resources", {}) or name in {"migrate", "bucket"}, f"{place}: it has no limits")
        for port in one.get("ports", []):
            expect(port.get("host_ip") == "127.0.0.1", f"{place}: others reach port {port['target']} unless somebody wants it")
        for used in one.get("secrets", []):
            expect(used["source"] in secrets, f"{place}: nobody makes the secret {used['source']}")
    for name, one in ours.items():
        place = f"compose.yaml: {name}"
        expect(one.get("read_only") is True, f"{place}: its root can be written to")
        expect(one.get("cap_drop") == ["ALL"], f"{place}: it has capabilities")
        expect("no-new-privileges:true" in one.get("security_opt", []), f"{place}: it may become somebody else")
        check_settings(place, one.get("environment", {}))
        check_secrets(place, one.get("environment", {}), "/run/secrets", {used["source"] for used in one["secrets"]})
    expect(len([name for name in ours if name.startswith("server-")]) == 2, "compose.yaml: there are not two servers")

    gateway = tomllib.loads(Path("deploy/gateway.toml").read_text())
    upstreams = {upstream["address"].split(":")[0] for upstream in gateway["upstreams"]}
    servers = {one["networks"]["team"]["ipv4_address"] for name, one in ours.items() if name.startswith("server-")}
    expect(upstreams == servers, f"gateway.toml: it names {sorted(upstreams)}, the servers are at {sorted(servers)}")
    trusted = services["server-1"]["environment"]["PRESSROOM_SERVER_TRUSTED_PROXIES"]
    expect(trusted == services["gateway"]["networks"]["team"]["ipv4_address"] + "/32", "compose.yaml: the gateway is not trusted")

    scraped = yaml.safe_load(Path("deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    groups = [group for job in scraped for group in job.get("static_configs", [])]
    targets = {target.split(":")[0] for group in groups for target in group["targets"]}
    targets |= {name for job in scraped for one in job.get("dns_sd_configs", []) for name in one["names"]}
    wanted = {name for name in ours if name != "migrate"}
    expect(targets == wanted, f"prometheus.yml: it reads {sorted(targets)}, there are {sorted(wanted)}")


def check_pods(place, deployment, resources):
    component = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
    pod = deployment["spec"]["template"]["spec"]
    confined = pod["securityContext"]
    expect(confined.get("runAsNonRoot") is True and confined.get("runAsUser") == 10001, f"{place}: it may be root")
    expect(confined.get("seccompProfile") == {"type": "RuntimeDefault"}, f"{place}: it may make any system call")
    expect(pod.get("automountServiceAccountToken") is False, f"{place}: it has a token of the cluster")
    expect("topologySpreadConstraints" in pod, f"{place}: all may be on one machine")
    for container in pod["containers"] + pod.get("initContainers", []):
        own = container["securityContext"]
        expect(own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
               f"{place}/{container['name']}: it is not confined")
        held = container["resources"]
        expect("memory" in held["limits"] and {"cpu", "memory"} <= held["requests"].keys(), f"{place}/{container['name']}: no resources")
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        expect(mounted <= {volume["name"] for volume in pod["volumes"]}, f"{place}: a volume is missing")
        for source in container.get("envFrom", []):
            expect(("ConfigMap", source["configMapRef"]["name"]) in resources, f"{place}: its settings are missing")
    for container in pod["containers"]:
        probes = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
        expect(probes == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}, f"{place}: probes {probes}")
        before = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        drain = DRAIN_S[component] + (DRAIN_S["worker"] if container["args"] == ["serve"] else 0)
        least = int(before[1]) + drain
        expect(pod["terminationGracePeriodSeconds"] >= least, f"{place}: it needs {least} s to end")


def selects(selector, labels):
    return selector.get("matchLabels", {}).items() <= labels.items()


def check_manifests(path, secret_keys):
    documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
    resources = {(document["kind"], document["metadata"]["name"]): document for document in documents}
    deployments = [document for (kind, _), document in resources.items() if kind == "Deployment"]
    pods = [one["spec"]["template"] for one in deployments]
    ports = {port["name"] for pod in pods for one in pod["spec"]["containers"] for port in one["ports"]}
    for (kind, name), document in resources.items():
        place, spec = f"{path.name}: {kind}/{name}", document.get("spec", {})
        expect(document["metadata"].get("namespace") == "pressroom", f"{place}: it is in no namespace")
        if kind == "Deployment":
            check_pods(place, document, resources)
            scaled = any(other == "HorizontalPodAutoscaler" and each["spec"]["scaleTargetRef"]["name"] == name
                         for (other, _), each in resources.items())
            expect(scaled != ("replicas" in spec), f"{place}: its number is said twice, or never")
        elif kind in {"PodDisruptionBudget", "PodMonitor", "Service", "NetworkPolicy"}:
            selector = spec["podSelector"] if kind == "NetworkPolicy" else spec["selector"]
            selector = {"matchLabels": selector} if kind == "Service" else selector
            expect(any(selects(selector, pod["metadata"]["labels"]) for pod in pods), f"{place}: it selects no pod")
        elif kind == "HorizontalPodAutoscaler":
            expect(("Deployment", spec["scaleTargetRef"]["name"]) in resources, f"{place}: it scales nothing")
        elif kind == "ConfigMap":
            check_settings(place, document["data"])
            check_secrets(place, document["data"], "/run/secrets/pressroom", secret_keys)
        if kind == "NetworkPolicy":
            named = {port["port"] for rule in spec.get("ingress", []) for port in rule["ports"]}
            expect(named <= ports, f"{place}: there is no port {sorted(named - ports)}")
        if kind == "PodMonitor":
            named = {endpoint["port"] for endpoint in spec["podMetricsEndpoints"]}
            expect(named <= ports, f"{place}: there is no port {sorted(named - ports)}")


def check_units(secrets):
    for path in Path("deploy/systemd").glob("*.service"):
        lines = path.read_text().splitlines()
        environment = dict(line.removeprefix("Environment=").split("=", 1) for line in lines if line.startswith("Environment="))
        credentials = {line.removeprefix("LoadCredential=").split(":")[0] for line in lines if line.startswith("LoadCredential=")}
        expect(credentials <= secrets, f"{path.name}: nobody makes {sorted(credentials - secrets)}")
        check_secrets(path.name, environment, "%d", credentials)
        check_settings(path.name, {name: value for name, value in environment.items() if name != "PRESSROOM_CONFIG"})


def check_nothing_slipped_in():
    """Secrets lie in a folder of the repository, and are no part of it."""
    listed = subprocess.run(["git", "ls-files", "deploy/secrets"], capture_output=True, text=True, check=True).stdout.split()
    expect(listed == ["deploy/secrets/.gitignore"], f"git keeps secrets: {listed}; take them out, and make new ones")


def check_runbooks():
    rules = [rule for group in yaml.safe_load(Path("deploy/prometheus/alerts.yml").read_text())["groups"] for rule in group["rules"]]
    listed = set(re.findall(r"`(Pressroom[A-Za-z]+)`", Path("docs/runbooks/README.md").read_text()))
    names = {rule["alert"] for rule in rules}
    expect(listed == names, f"docs/runbooks/README.md: it and the alerts differ in {sorted(listed ^ names)}")
    for rule in rules:
        page = Path(rule["annotations"]["runbook"])
        expect(page.is_file() and rule["alert"] in page.read_text(), f"{rule['alert']}: {page} does not speak of it")
        expect(rule["labels"]["severity"] in {"critical", "warning"}, f"{rule['alert']}: its severity is unknown")


def main():
    _, _, secrets_folder, compose, *manifests = sys.argv
    secrets = {path.name for path in Path(secrets_folder).iterdir()}
    template = yaml.safe_load(Path("deploy/kubernetes/secret.template.yaml").read_text())
    expect(template["stringData"].keys() <= secrets, "secret.template.yaml: make-secrets does not make all of it")
    check_packages()
    check_compose(json.loads(Path(compose).read_text()), secrets)
    for path in map(Path, manifests):
        if path.name != "compose.yaml":
            check_manifests(path, template["stringData"].keys())
    check_units(secrets)
    check_nothing_slipped_in()
    check_runbooks()
    if faults:
        sys.exit("check-deploy: " + "\ncheck-deploy: ".join(faults))
    print("check-deploy: the Compose file, the manifests and the runbooks are in order")


main()

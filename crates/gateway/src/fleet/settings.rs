//! What can be set of the instances that the gateway starts itself: `[instances]`, `[scaling]` and `[deploy]`.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The most instances of one gateway: each is a program with its own connections and threads.
const MAX_INSTANCES: usize = 256;

/// A length of time, written in seconds, whole or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

impl Seconds {
    /// So many whole seconds.
    pub const fn whole(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let length = Duration::try_from_secs_f64(seconds);
        length.map(Self).map_err(|_| de::Error::custom(format!("{seconds} is no length of time in seconds")))
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

/// What becomes of the instances when the gateway is killed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnGatewayDeath {
    /// They go on, and the gateway that is started next takes them over.
    #[default]
    Keep,
    /// The kernel tells them to end.
    End,
}

/// Servers that the gateway starts, watches, replaces and ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstanceSettings {
    /// The program of the first generation; absent for the program that the gateway itself is.
    pub program: Option<PathBuf>,
    /// Its arguments; `{address}`, `{port}` and `{instance}` stand for what each instance gets.
    pub arguments: Vec<String>,
    /// Variables set for instances.
    pub environment: BTreeMap<String, String>,
    /// Variables of the gateway that are passed on, `NAME` or `PREFIX_*`; `*` for all.
    pub pass_environment: Vec<String>,
    /// The fewest instances.
    pub min: usize,
    /// The most instances.
    pub max: usize,
    /// Seconds from the start of an instance until it must be ready.
    pub start_limit_s: Seconds,
    /// Seconds that requests and sockets have to end before an instance is told to stop.
    pub drain_limit_s: Seconds,
    /// Seconds that an instance has to end once it was told to; then it is killed.
    pub stop_limit_s: Seconds,
    /// Seconds without an answer from `/livez` after which an instance is replaced.
    pub live_limit_s: Seconds,
    /// What becomes of the instances when the gateway is killed.
    pub on_gateway_death: OnGatewayDeath,
    /// Where the gateway keeps what it knows of them; absent for `gateway` in the data folder.
    pub state: Option<PathBuf>,
}

impl Default for InstanceSettings {
    fn default() -> Self {
        Self {
            program: None,
            arguments: ["serve", "--listen", "{address}", "--no-worker"].map(str::to_owned).to_vec(),
            environment: BTreeMap::new(),
            pass_environment: vec!["*".to_owned()],
            min: 2,
            max: 2,
            start_limit_s: Seconds::whole(60),
            drain_limit_s: Seconds::whole(60),
            stop_limit_s: Seconds::whole(30),
            live_limit_s: Seconds::whole(30),
            on_gateway_death: OnGatewayDeath::Keep,
            state: None,
        }
    }
}

impl InstanceSettings {
    /// What is wrong with them, by key.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if !self.arguments.iter().any(|argument| argument.contains("{address}") || argument.contains("{port}")) {
            let reason = "no argument tells an instance where to listen; write `{address}` or `{port}` in one";
            faults.push(("instances.arguments", reason.to_owned()));
        }
        if self.max == 0 || self.max > MAX_INSTANCES {
            faults.push(("instances.max", format!("{} is not between 1 and {MAX_INSTANCES}", self.max)));
        }
        if self.min == 0 || self.min > self.max {
            faults.push(("instances.min", format!("{} is not between 1 and `max`, {}", self.min, self.max)));
        }
        for name in self.environment.keys().filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
            faults.push(("instances.environment", format!("`{name}` is no name of a variable")));
        }
        let limits = [
            ("instances.start_limit_s", self.start_limit_s, Seconds::whole(3600)),
            ("instances.drain_limit_s", self.drain_limit_s, Seconds::whole(24 * 3600)),
            ("instances.stop_limit_s", self.stop_limit_s, Seconds::whole(3600)),
            ("instances.live_limit_s", self.live_limit_s, Seconds::whole(3600)),
        ];
        faults.extend(limits.into_iter().filter_map(|(key, value, most)| out_of_range(key, value, most)));
        faults
    }

    /// Whether a variable of the gateway's own is passed on.
    pub(crate) fn passes(&self, name: &str) -> bool {
        self.pass_environment.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => pattern == name,
        })
    }
}

/// When there are to be more instances, or fewer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScalingSettings {
    /// Requests at a time that an instance is meant to take.
    pub target_in_flight: u32,
    /// Processor cores that an instance is meant to use.
    pub cores: f64,
    /// A load above this, 1 being all that the instances are meant to take, asks for more of them.
    pub up_above: f64,
    /// A load below this asks for fewer.
    pub down_below: f64,
    /// Seconds over which the load is averaged.
    pub window_s: Seconds,
    /// Seconds for which the load must ask for the same before it is done.
    pub hold_s: Seconds,
    /// Seconds after a change in which there is no other.
    pub cooldown_s: Seconds,
}

impl Default for ScalingSettings {
    fn default() -> Self {
        Self {
            target_in_flight: 64,
            cores: 1.0,
            up_above: 0.8,
            down_below: 0.3,
            window_s: Seconds::whole(15),
            hold_s: Seconds::whole(15),
            cooldown_s: Seconds::whole(60),
        }
    }
}

impl ScalingSettings {
    /// What is wrong with them, by key.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.target_in_flight == 0 {
            faults.push(("scaling.target_in_flight", "0 is less than 1".to_owned()));
        }
        if !(0.01..=1024.0).contains(&self.cores) {
            faults.push(("scaling.cores", format!("{} is not between 0.01 and 1024", self.cores)));
        }
        if !(0.05..=10.0).contains(&self.up_above) {
            faults.push(("scaling.up_above", format!("{} is not between 0.05 and 10", self.up_above)));
        }
        if !(0.0..=self.up_above / 2.0).contains(&self.down_below) {
            let most = self.up_above / 2.0;
            let reason = format!("{} is not between 0 and half of `up_above`, {most}", self.down_below);
            faults.push(("scaling.down_below", reason));
        }
        let limits = [
            ("scaling.window_s", self.window_s, Seconds::whole(600)),
            ("scaling.hold_s", self.hold_s, Seconds::whole(600)),
            ("scaling.cooldown_s", self.cooldown_s, Seconds::whole(24 * 3600)),
        ];
        faults.extend(limits.into_iter().filter_map(|(key, value, most)| out_of_range(key, value, most)));
        faults
    }
}

/// How a new program is tried before it serves, and watched after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeploySettings {
    /// Seconds for which new instances must stay ready before requests go to them.
    pub check_s: Seconds,
    /// A program, and its arguments, that must succeed before requests go to new instances; `{address}` stands for the
    /// address of one of them.
    pub check_command: Vec<String>,
    /// Seconds that the check may take.
    pub check_command_limit_s: Seconds,
    /// Seconds for which new instances are watched once requests go to them.
    pub watch_s: Seconds,
    /// How much greater the share of failed requests may be than that of the old instances, from 0 to 1.
    pub worse_failures: f64,
}

impl Default for DeploySettings {
    fn default() -> Self {
        Self {
            check_s: Seconds::whole(10),
            check_command: Vec::new(),
            check_command_limit_s: Seconds::whole(60),
            watch_s: Seconds::whole(30),
            worse_failures: 0.05,
        }
    }
}

impl DeploySettings {
    /// What is wrong with them, by key.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if !(0.0..=1.0).contains(&self.worse_failures) {
            faults.push(("deploy.worse_failures", format!("{} is not between 0 and 1", self.worse_failures)));
        }
        let limits = [
            ("deploy.check_s", self.check_s, Seconds::whole(3600)),
            ("deploy.check_command_limit_s", self.check_command_limit_s, Seconds::whole(3600)),
            ("deploy.watch_s", self.watch_s, Seconds::whole(3600)),
        ];
        faults.extend(limits.into_iter().filter_map(|(key, value, most)| out_of_range(key, value, most)));
        faults
    }
}

fn out_of_range(key: &'static str, value: Seconds, most: Seconds) -> Option<(&'static str, String)> {
    let (value, most) = (value.0.as_secs_f64(), most.0.as_secs_f64());
    (value <= 0.0 || value > most).then(|| (key, format!("{value} is not more than 0 and at most {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_fault() {
        assert_eq!(InstanceSettings::default().faults(), []);
        assert_eq!(ScalingSettings::default().faults(), []);
        assert_eq!(DeploySettings::default().faults(), []);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let toml = "arguments = [\"serve\"]\nmin = 5\nmax = 3\nstop_limit_s = 0\n[environment]\n\"a=b\" = \"\"";
        let settings: InstanceSettings = toml::from_str(toml).unwrap();
        let keys: Vec<_> = settings.faults().into_iter().map(|(key, _)| key).collect();
        let expected = ["instances.arguments", "instances.min", "instances.environment", "instances.stop_limit_s"];
        assert_eq!(keys, expected);

        let settings: ScalingSettings = toml::from_str("target_in_flight = 0\ncores = 0\ndown_below = 0.7").unwrap();
        let keys: Vec<_> = settings.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["scaling.target_in_flight", "scaling.cores", "scaling.down_below"]);
        let settings: DeploySettings = toml::from_str("worse_failures = 2\nwatch_s = 99999").unwrap();
        assert_eq!(settings.faults().len(), 2);
    }

    #[test]
    fn lengths_of_time_may_have_fractions_and_no_sign() {
        let settings: DeploySettings = toml::from_str("check_s = 1\nwatch_s = 0.25").unwrap();
        assert_eq!((settings.check_s, settings.watch_s), (Seconds::whole(1), Seconds(Duration::from_millis(250))));
        assert!(toml::from_str::<DeploySettings>("check_s = -1").is_err());
        assert!(toml::from_str::<DeploySettings>("check_s = inf").is_err());
    }

    #[test]
    fn variables_are_passed_on_by_name_and_by_beginning() {
        let pass_environment = vec!["PATH".to_owned(), "PRESSROOM_*".to_owned()];
        let settings = InstanceSettings { pass_environment, ..InstanceSettings::default() };
        let passed = ["PATH", "PRESSROOM_DATA", "PATHS", "HOME"].map(|name| settings.passes(name));
        assert_eq!(passed, [true, true, false, false]);
        assert!(InstanceSettings::default().passes("HOME"));
    }
}

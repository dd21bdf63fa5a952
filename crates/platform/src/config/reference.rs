//! What a setting means, and the reference that is written from a table of them.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key in the settings file, with a dot after its table.
    pub key: &'static str,
    /// What it takes.
    pub takes: &'static str,
    /// What it is when nobody sets it.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

impl Setting {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("PRESSROOM_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }
}

/// The reference of these settings, in Markdown; `written_from` names their table.
pub fn reference(settings: &[Setting], written_from: &str) -> String {
    let mut text = format!(
        "# Configuration\n\n\
         <!-- Written from {written_from} by its test; UPDATE_DOCS=1 writes it anew. -->\n\n\
         Nothing needs to be set. A setting is taken from the command line, else from the environment, else from the\n\
         settings file, else it has its default. The file is `pressroom.toml` in the platform's folder for settings\n\
         (`~/.config/pressroom` on Linux), or the one that `PRESSROOM_CONFIG` names. Unknown keys are refused, and all\n\
         faults are named at once. `PRESSROOM_LOG` sets the levels of the log, such as `info,pipeline=debug`.\n\n\
         | setting | variable | takes | default | meaning |\n|---|---|---|---|---|\n",
    );
    for setting in settings {
        let Setting { key, takes, default, meaning } = setting;
        text.extend([format!("| `{key}` | `{}` | {takes} | {default} | {meaning} |\n", setting.variable())]);
    }
    text.push_str(
        "\n```toml\n# pressroom.toml\njobs = 2\n\n[cache]\nmax_bytes = 5_000_000_000\nmax_age_days = 14\n\n\
         [log]\nformat = \"json\"\n```\n",
    );
    text
}

//! The image that a sandbox is made from: there, or fetched.

use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::sanitize::sanitize_line;
use super::ui::Ui;
use crate::libpod::{self, Client, Image, PullOptions};
use crate::sandbox::spec::PullPolicy;

/// What a build's `RUN` steps reach of this machine that they should not, if the service is such.
pub(crate) fn reaches_loopback(client: &Client) -> Option<String> {
    // The service starts slirp4netns for it and does not keep that from the loopback.
    (!client.version().at_least(5, 0)).then(|| {
        format!(
            "a build by Podman {} reaches what listens on this machine's loopback, at 10.0.2.2",
            client.version()
        )
    })
}

/// Finds an image, fetching it as the policy says.
pub(crate) async fn obtain(
    client: &Client,
    reference: &str,
    policy: PullPolicy,
    ui: &Ui,
) -> CliResult<Image> {
    let wanted = match policy {
        PullPolicy::Always => libpod::PullPolicy::Always,
        PullPolicy::Newer => libpod::PullPolicy::Newer,
        PullPolicy::Missing | PullPolicy::Never => match client.inspect_image(reference).await {
            Ok(image) => return Ok(image),
            Err(error) if !error.is_not_found() || policy == PullPolicy::Never => {
                return Err(error.into());
            }
            Err(_) => libpod::PullPolicy::Missing,
        },
    };
    let options = PullOptions {
        reference: reference.to_owned(),
        policy: wanted,
        platform: None,
    };
    let id = pull(client, &options, ui).await.map_err(|error| {
        let mut error = error.or_exit(Exit::NotRun);
        error.message = format!("there is no image `{reference}` and it could not be fetched");
        error
    });
    let id = id.map_err(|error| {
        error.hint(format!(
            "to build it here: `stockade build -t {reference} .`"
        ))
    })?;
    Ok(client.inspect_image(id.as_str()).await?)
}

/// Fetches an image, showing how it goes.
pub(crate) async fn pull(
    client: &Client,
    options: &PullOptions,
    ui: &Ui,
) -> CliResult<libpod::ImageId> {
    let fetched = async {
        let mut stream = client.pull_image(options).await?;
        while let Some(text) = stream.next().await? {
            let text = sanitize_line(text.trim_end());
            if ui.is_live() {
                ui.live(&text);
            } else {
                ui.status(&text);
            }
        }
        stream.image()
    };
    let fetched = fetched.await;
    ui.live_done();
    fetched.map_err(|error| {
        let cause = error.to_string();
        let mut cli = CliError::from(error);
        if cli.exit == Exit::Failed {
            cli.causes.insert(0, cause);
            cli.message = format!("cannot fetch `{}`", options.reference);
        }
        cli
    })
}

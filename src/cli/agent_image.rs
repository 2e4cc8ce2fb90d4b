//! The image of an agent that says what it is installed on: built once, where no other image is named.

use bytes::Bytes;

use super::built::sha256;
use super::error::{CliResult, Context as _};
use super::exit::Exit;
use super::image::reaches_loopback;
use super::sanitize::sanitize_line;
use super::ui::Ui;
use crate::libpod::{self, BuildOptions, Client, Image, TarBody, TarChunk};
use crate::ralph::Agent;
use crate::sandbox::spec::PullPolicy;

const REPOSITORY: &str = "localhost/stockade-agent";
const FILE: &str = "Containerfile";

/// What it is built from. Neither a workspace nor an agent has a say in it.
#[derive(Debug)]
pub(crate) struct AgentImage {
    agent: String,
    containerfile: String,
}

impl AgentImage {
    /// That of an agent; `None` if the agent does not say.
    pub(crate) fn of(name: &str, agent: &Agent) -> Option<Self> {
        Some(Self {
            agent: name.to_owned(),
            containerfile: agent.containerfile()?,
        })
    }

    /// Its name: another one as soon as it would be built otherwise.
    pub(crate) fn name(&self) -> String {
        let digest = sha256(self.containerfile.as_bytes());
        let digest = digest.get(..12).unwrap_or_default();
        format!("{REPOSITORY}:{}-{digest}", self.agent)
    }

    /// Finds it, or builds it and shows how that goes. Who asks for a newer base has all of it built anew.
    pub(crate) async fn obtain(
        &self,
        client: &Client,
        policy: PullPolicy,
        ui: &Ui,
    ) -> CliResult<Image> {
        let name = self.name();
        let pull = match policy {
            PullPolicy::Always => libpod::PullPolicy::Always,
            PullPolicy::Newer => libpod::PullPolicy::Newer,
            PullPolicy::Never => libpod::PullPolicy::Never,
            PullPolicy::Missing => libpod::PullPolicy::Missing,
        };
        if matches!(policy, PullPolicy::Missing | PullPolicy::Never) {
            match client.inspect_image(&name).await {
                Ok(image) => return Ok(image),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        // What its steps fetch is not looked at: a layer that is there would be taken for what they would fetch now.
        let anew = matches!(policy, PullPolicy::Always | PullPolicy::Newer);
        let how = if anew { "anew" } else { "that is done once" };
        ui.status(&format!(
            "building `{name}`, an image for {}: {how}",
            self.agent
        ));
        if let Some(warning) = reaches_loopback(client) {
            ui.warning(&warning);
        }
        let options = BuildOptions {
            tags: vec![name.clone()],
            containerfile: Some(FILE.to_owned()),
            pull,
            no_cache: anew,
            ..BuildOptions::default()
        };
        let built = self.build(client, &options, ui).await;
        ui.live_done();
        let id = built.map_err(|error| {
            let mut error = error.under(format!("cannot build an image for {}", self.agent));
            error.exit = Exit::Preflight;
            let base = self.containerfile.lines().next().unwrap_or_default();
            error
                .hint(format!("it is built {}", base.to_lowercase()))
                .hint("or name an image that has the agent: `--image IMAGE`")
        })?;
        Ok(client.inspect_image(id.as_str()).await?)
    }

    async fn build(
        &self,
        client: &Client,
        options: &BuildOptions,
        ui: &Ui,
    ) -> CliResult<libpod::ImageId> {
        let (chunks, body) = TarBody::channel(2);
        let archive = self.archive().doing("pack the Containerfile")?;
        for chunk in [TarChunk::Bytes(archive), TarChunk::End] {
            // There is room for both.
            let _ = chunks.try_send(chunk);
        }
        let mut stream = client.build_image(options, body).await?;
        let mut last = String::new();
        loop {
            let next = stream.next().await;
            let text = match next {
                Ok(Some(text)) => text,
                Ok(None) => break,
                Err(error) => {
                    // What the failing step said last stays to be read.
                    if ui.is_live() && !last.is_empty() {
                        ui.live_done();
                        ui.status(&last);
                    }
                    return Err(error.into());
                }
            };
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                sanitize_line(line.trim_end()).clone_into(&mut last);
                if ui.is_live() {
                    ui.live(&last);
                } else {
                    ui.status(&last);
                }
            }
        }
        Ok(stream.image(client).await?)
    }

    fn archive(&self) -> std::io::Result<Bytes> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(self.containerfile.len() as u64);
        let mut archive = tar::Builder::new(Vec::new());
        archive.append_data(&mut header, FILE, self.containerfile.as_bytes())?;
        Ok(archive.into_inner()?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_another_name_when_it_would_be_another() {
        let image = |install: &str| {
            let text = format!(
                "about = 'x'\ncommand = ['x']\nbase = 'localhost/base'\ninstall = ['{install}']"
            );
            let agent = Agent::parse(&text).unwrap();
            AgentImage::of("Mine", &agent).unwrap()
        };
        let one = image("RUN true");
        assert_eq!(one.containerfile, "FROM localhost/base\nRUN true\n");
        assert_eq!(one.name(), image("RUN true").name());
        assert_ne!(one.name(), image("RUN false").name());
        assert!(one.name().starts_with("localhost/stockade-agent:Mine-"));
        let nowhere = Agent::parse("about = 'x'\ncommand = ['x']").unwrap();
        assert!(AgentImage::of("Mine", &nowhere).is_none());
    }
}

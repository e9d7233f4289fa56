//! A container image without a container engine: an OCI archive of one program that needs no other file, made with umoci.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::go_tools::{GoBuildError, UMOCI};
use crate::scratch::{ScratchDir, ScratchError};

/// The user and group that the program runs as; nobody's, and not root.
const USER: &str = "65532:65532";
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Offset and, in little endian, values of the machine in an ELF header, with Go's names of architectures.
const ELF_MACHINE: usize = 18;
const MACHINES: [(u16, &str); 5] =
    [(62, "amd64"), (183, "arm64"), (243, "riscv64"), (21, "ppc64le"), (22, "s390x")];

/// What is made.
#[derive(Debug)]
pub struct Image<'a> {
    /// The operator, for whatever architecture; it should be linked statically, for there is no C library.
    pub binary: &'a Path,
    /// Authorities that ClickUp's certificate is judged by, PEM.
    pub certificates: &'a Path,
    /// Of the operator; becomes the tag.
    pub version: &'a str,
    /// Where the archive is written.
    pub archive: &'a Path,
}

/// The image is not made.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// There is no umoci.
    #[error(transparent)]
    Tool(#[from] GoBuildError),
    /// There is no place to work in.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not a program, or for a machine that images have no name for here.
    #[error("{path} is not a program for a known architecture")]
    Machine {
        /// Which file.
        path: PathBuf,
    },
    /// A program failed.
    #[error("{command} failed: {stderr}")]
    Command {
        /// With its arguments.
        command: String,
        /// What it said.
        stderr: String,
    },
}

impl Image<'_> {
    /// Makes it.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub async fn make(&self) -> Result<(), ImageError> {
        let architecture = architecture(self.binary)?;
        let umoci = UMOCI.find_or_build().await?;
        let scratch = ScratchDir::create("image")?;
        let layout = scratch.join("layout");
        let image = format!("{}:{}", layout.display(), self.version);
        run(Command::new(&umoci).args(["init", "--layout"]).arg(&layout))?;
        run(Command::new(&umoci).args(["new", "--image", &image]))?;
        for (source, target) in [(self.certificates, CERTIFICATES), (self.binary, "/clickup-operator")] {
            // A copy, with the mode and the owner that belong into the image.
            let copy = scratch.join(Path::new(target).file_name().unwrap_or_default());
            copy_as(source, &copy, if source == self.binary { 0o755 } else { 0o644 })?;
            run(Command::new(&umoci)
                .args(["insert", "--rootless", "--image", &image])
                .arg(&copy)
                .arg(target))?;
        }
        let mut config = Command::new(&umoci);
        config.args(["config", "--image", &image, "--os=linux", "--config.user", USER]);
        config.args(["--architecture", architecture, "--author=clickup-operator"]);
        config.args(["--config.entrypoint=/clickup-operator", "--config.cmd=run"]);
        config.args(["--config.exposedports=8080/tcp", "--config.exposedports=8081/tcp"]);
        for (label, value) in
            [("title", "clickup-operator"), ("version", self.version), ("licenses", "Apache-2.0")]
        {
            config.arg(format!("--config.label=org.opencontainers.image.{label}={value}"));
        }
        run(&mut config)?;
        if let Some(folder) = self.archive.parent() {
            fs::create_dir_all(folder).map_err(file_error(folder))?;
        }
        run(Command::new("tar")
            .arg("--create")
            .arg("--file")
            .arg(self.archive)
            .arg("--directory")
            .arg(&layout)
            .args([
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "--sort=name",
                "oci-layout",
                "index.json",
                "blobs",
            ]))?;
        Ok(scratch.remove().await?)
    }
}

fn architecture(binary: &Path) -> Result<&'static str, ImageError> {
    let bytes = fs::read(binary).map_err(file_error(binary))?;
    let machine = match bytes.get(..ELF_MACHINE + 2) {
        Some(head) if head.starts_with(b"\x7fELF") => {
            u16::from_le_bytes([head[ELF_MACHINE], head[ELF_MACHINE + 1]])
        }
        _ => 0,
    };
    let known = MACHINES.into_iter().find(|(number, _)| *number == machine || number.swap_bytes() == machine);
    known.map(|(_, name)| name).ok_or_else(|| ImageError::Machine { path: binary.to_path_buf() })
}

fn copy_as(source: &Path, copy: &Path, mode: u32) -> Result<(), ImageError> {
    use std::os::unix::fs::PermissionsExt;
    fs::copy(source, copy).map_err(file_error(source))?;
    fs::set_permissions(copy, fs::Permissions::from_mode(mode)).map_err(file_error(copy))
}

fn run(command: &mut Command) -> Result<(), ImageError> {
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    let line = [command.get_program().to_string_lossy().into_owned()]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ");
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|source| ImageError::File { path: command.get_program().into(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_string();
    Err(ImageError::Command { command: line, stderr })
}

fn file_error(path: &Path) -> impl Fn(io::Error) -> ImageError + use<> {
    let path = path.to_path_buf();
    move |source| ImageError::File { path: path.clone(), source }
}

//! The keys and certificates of one cluster: one authority, and what it signs, as files in one folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::{Error, Result, error::Context};

const AUTHORITY: &str = "batchpipe-testbed";

/// A certificate authority and the folder of what it signed.
#[derive(Debug)]
pub(crate) struct Pki {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Pki {
    /// A new authority and the key of service accounts' tokens, in `folder`, which is made.
    pub(crate) fn create(folder: PathBuf) -> Result<Self> {
        fs::create_dir(&folder).context("create", &folder)?;
        let failed = failure(AUTHORITY);
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = params(AUTHORITY, None, Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key).map_err(failed)?;
        let tokens = KeyPair::generate().map_err(failed)?;
        let pki = Self { folder, issuer: Issuer::new(params, key) };
        write(&pki.authority(), &certificate.pem())?;
        write(&pki.token_key(), &tokens.serialize_pem())?;
        write(&pki.token_public_key(), &tokens.public_key_pem())?;
        Ok(pki)
    }

    /// The authority's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// What signs the tokens of service accounts.
    pub(crate) fn token_key(&self) -> PathBuf {
        self.folder.join("sa.key")
    }

    /// What verifies them: the API server reads no private key of this form there.
    pub(crate) fn token_public_key(&self) -> PathBuf {
        self.folder.join("sa.pub")
    }

    /// A server's certificate for these names and addresses, in the files `name.crt` and `name.key`.
    pub(crate) fn server(&self, name: &str, hosts: &[String]) -> Result<Pair> {
        let params = params(name, None, hosts.to_vec())?;
        self.sign(name, params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's certificate, in the files `name.crt` and `name.key`: Kubernetes takes the user from the
    /// common name and the group from the organisation.
    pub(crate) fn client(&self, name: &str, user: &str, group: Option<&str>) -> Result<Pair> {
        self.sign(name, params(user, group, Vec::new())?, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// The same, but it ran out long ago.
    pub(crate) fn expired_client(&self, name: &str, user: &str) -> Result<Pair> {
        let mut params = params(user, None, Vec::new())?;
        (params.not_before, params.not_after) =
            (rcgen::date_time_ymd(2000, 1, 1), rcgen::date_time_ymd(2001, 1, 1));
        self.sign(name, params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        name: &str,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Pair> {
        let failed = failure(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        let pair = Pair {
            certificate: self.folder.join(format!("{name}.crt")),
            key: self.folder.join(format!("{name}.key")),
        };
        write(&pair.certificate, &certificate.pem())?;
        write(&pair.key, &key.serialize_pem())?;
        Ok(pair)
    }
}

fn params(
    common_name: &str,
    organisation: Option<&str>,
    hosts: Vec<String>,
) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(hosts).map_err(failure(common_name))?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    if let Some(organisation) = organisation {
        params.distinguished_name.push(DnType::OrganizationName, organisation);
    }
    Ok(params)
}

fn failure(subject: &str) -> impl Fn(rcgen::Error) -> Error + Copy {
    move |source| Error::Certificate { subject: subject.to_owned(), source }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).context("write", path)
}

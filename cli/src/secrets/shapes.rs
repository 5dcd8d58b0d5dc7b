//! The shapes of keys that say by themselves whose they are: a beginning, and what follows it.
//!
//! Sources: the services' own documentation, and what GitHub's secret scanning and gitleaks look for.

/// What a key consists of after its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// 0-9, a-f.
    Hex,
    /// A-Z, a-z, 0-9.
    Alnum,
    /// A-Z, 0-9.
    Upper,
    /// As in URLs: letters, digits, `-`, `_`.
    Url,
    /// The same with full stops in between.
    Dotted,
    /// Letters, digits, `+`, `/`, `=`, `-`, `_`.
    Base64,
}

/// One shape.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What it is, for people.
    pub kind: &'static str,
    /// What it begins with.
    pub start: &'static str,
    /// What follows.
    pub body: Body,
    /// How much follows at least.
    pub min: usize,
    /// How much follows at most.
    pub max: usize,
}

impl Body {
    /// Whether a byte can stand in it.
    pub const fn takes(self, byte: u8) -> bool {
        match self {
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Upper => matches!(byte, b'0'..=b'9' | b'A'..=b'Z'),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
            Self::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'/' | b'='),
        }
    }
}

const fn shape(kind: &'static str, start: &'static str, body: Body, min: usize, max: usize) -> Shape {
    Shape { kind, start, body, min, max }
}

/// All of them.
#[rustfmt::skip]
pub const SHAPES: &[Shape] = &[
    shape("adafruit key",           "aio_",            Body::Alnum,  28, 28),
    shape("age private key",        "AGE-SECRET-KEY-1", Body::Upper, 58, 58),
    shape("alibaba access key",     "LTAI",            Body::Alnum,  16, 26),
    shape("anthropic key",          "sk-ant-",         Body::Url,    24, 250),
    shape("atlassian token",        "ATATT3",          Body::Base64, 60, 400),
    shape("atlassian token",        "ATCTT3",          Body::Base64, 60, 400),
    shape("aws access key",         "AKIA",            Body::Upper,  16, 16),
    shape("aws access key",         "ASIA",            Body::Upper,  16, 16),
    shape("aws access key",         "ABIA",            Body::Upper,  16, 16),
    shape("aws access key",         "ACCA",            Body::Upper,  16, 16),
    shape("aws bedrock key",        "ABSKQmVkcm9jaw",  Body::Base64, 40, 300),
    shape("bitbucket password",     "ATBB",            Body::Alnum,  28, 40),
    shape("contentful token",       "CFPAT-",          Body::Url,    43, 43),
    shape("crates.io token",        "cio",             Body::Alnum,  32, 32),
    shape("databricks token",       "dapi",            Body::Hex,    32, 32),
    shape("digitalocean token",     "dop_v1_",         Body::Hex,    64, 64),
    shape("digitalocean token",     "doo_v1_",         Body::Hex,    64, 64),
    shape("digitalocean token",     "dor_v1_",         Body::Hex,    64, 64),
    shape("docker token",           "dckr_pat_",       Body::Url,    24, 60),
    shape("docker token",           "dckr_oat_",       Body::Url,    24, 60),
    shape("docker swarm token",     "SWMTKN-1-",       Body::Url,    60, 90),
    shape("doppler token",          "dp.pt.",          Body::Alnum,  40, 44),
    shape("doppler token",          "dp.st.",          Body::Dotted, 40, 80),
    shape("doppler token",          "dp.ct.",          Body::Alnum,  40, 44),
    shape("dynatrace token",        "dt0c01.",         Body::Dotted, 80, 100),
    shape("e2b key",                "e2b_",            Body::Hex,    40, 40),
    shape("easypost key",           "EZAK",            Body::Alnum,  54, 54),
    shape("facebook token",         "EAA",             Body::Alnum,  90, 300),
    shape("figma token",            "figd_",           Body::Url,    38, 60),
    shape("fireworks key",          "fw_",             Body::Alnum,  22, 24),
    shape("flutterwave key",        "FLWSECK-",        Body::Url,    32, 40),
    shape("fly token",              "fm2_",            Body::Base64, 80, 800),
    shape("github token",           "ghp_",            Body::Alnum,  36, 255),
    shape("github token",           "gho_",            Body::Alnum,  36, 255),
    shape("github token",           "ghu_",            Body::Alnum,  36, 255),
    shape("github token",           "ghs_",            Body::Alnum,  36, 255),
    shape("github token",           "ghr_",            Body::Alnum,  36, 255),
    shape("github token",           "github_pat_",     Body::Url,    40, 255),
    shape("gitlab token",           "glpat-",          Body::Dotted, 20, 300),
    shape("gitlab token",           "gldt-",           Body::Dotted, 20, 300),
    shape("gitlab token",           "glrt-",           Body::Dotted, 20, 300),
    shape("gitlab token",           "glcbt-",          Body::Dotted, 20, 300),
    shape("gitlab token",           "glptt-",          Body::Dotted, 20, 300),
    shape("gitlab token",           "glft-",           Body::Dotted, 20, 300),
    shape("gitlab token",           "glagent-",        Body::Dotted, 20, 300),
    shape("gitlab token",           "glsoat-",         Body::Dotted, 20, 300),
    shape("google key",             "AIza",            Body::Url,    35, 35),
    shape("google oauth secret",    "GOCSPX-",         Body::Url,    28, 28),
    shape("google oauth token",     "ya29.",           Body::Dotted, 30, 2048),
    shape("grafana token",          "glsa_",           Body::Url,    40, 44),
    shape("grafana token",          "glc_",            Body::Base64, 40, 400),
    shape("groq key",               "gsk_",            Body::Alnum,  40, 60),
    shape("heroku key",             "HRKU-",           Body::Url,    36, 64),
    shape("hubspot token",          "pat-na1-",        Body::Url,    36, 36),
    shape("hubspot token",          "pat-eu1-",        Body::Url,    36, 36),
    shape("hugging face token",     "hf_",             Body::Alnum,  30, 50),
    shape("hugging face token",     "api_org_",        Body::Alnum,  34, 34),
    shape("jfrog token",            "cmVmdGtuO",       Body::Alnum,  50, 60),
    shape("jina key",               "jina_",           Body::Url,    40, 80),
    shape("kaggle token",           "KGAT_",           Body::Alnum,  32, 64),
    shape("langfuse key",           "sk-lf-",          Body::Url,    36, 36),
    shape("langsmith key",          "lsv2_pt_",        Body::Url,    40, 50),
    shape("langsmith key",          "lsv2_sk_",        Body::Url,    40, 50),
    shape("linear key",             "lin_api_",        Body::Alnum,  40, 48),
    shape("mailgun key",            "key-",            Body::Hex,    32, 32),
    shape("neptune token",          "eyJhcGlfYWRkcmVzcyI6", Body::Base64, 40, 600),
    shape("netlify token",          "nfp_",            Body::Alnum,  36, 40),
    shape("new relic key",          "NRAK-",           Body::Upper,  27, 27),
    shape("notion token",           "ntn_",            Body::Alnum,  40, 50),
    shape("notion token",           "secret_",         Body::Alnum,  43, 43),
    shape("npm token",              "npm_",            Body::Alnum,  36, 36),
    shape("nuget key",              "oy2",             Body::Alnum,  43, 43),
    shape("nvidia key",             "nvapi-",          Body::Url,    60, 80),
    shape("onepassword token",      "ops_eyJ",         Body::Base64, 100, 2048),
    shape("openai key",             "sk-proj-",        Body::Url,    24, 250),
    shape("openai key",             "sk-svcacct-",     Body::Url,    24, 250),
    shape("openai key",             "sk-admin-",       Body::Url,    24, 250),
    shape("openai key",             "sk-",             Body::Alnum,  32, 64),
    shape("openrouter key",         "sk-or-v1-",       Body::Hex,    64, 64),
    shape("perplexity key",         "pplx-",           Body::Alnum,  40, 60),
    shape("pinecone key",           "pcsk_",           Body::Url,    40, 90),
    shape("planetscale password",   "pscale_pw_",      Body::Dotted, 32, 64),
    shape("planetscale token",      "pscale_tkn_",     Body::Dotted, 32, 64),
    shape("posthog key",            "phx_",            Body::Alnum,  40, 60),
    shape("postman key",            "PMAK-",           Body::Url,    59, 59),
    shape("prefect key",            "pnu_",            Body::Alnum,  36, 36),
    shape("pulumi token",           "pul-",            Body::Hex,    40, 40),
    shape("pypi token",             "pypi-",           Body::Url,    50, 250),
    shape("replicate token",        "r8_",             Body::Alnum,  37, 37),
    shape("rubygems key",           "rubygems_",       Body::Hex,    48, 48),
    shape("runpod key",             "rpa_",            Body::Alnum,  40, 60),
    shape("sendgrid key",           "SG.",             Body::Dotted, 60, 80),
    shape("sendinblue key",         "xkeysib-",        Body::Url,    64, 90),
    shape("sentry token",           "sntrys_",         Body::Base64, 60, 400),
    shape("sentry token",           "sntryu_",         Body::Hex,    64, 64),
    shape("shopify token",          "shpat_",          Body::Hex,    32, 32),
    shape("shopify token",          "shpca_",          Body::Hex,    32, 32),
    shape("shopify token",          "shppa_",          Body::Hex,    32, 32),
    shape("shopify token",          "shpss_",          Body::Hex,    32, 32),
    shape("slack token",            "xoxb-",           Body::Url,    20, 255),
    shape("slack token",            "xoxp-",           Body::Url,    20, 255),
    shape("slack token",            "xoxa-",           Body::Url,    20, 255),
    shape("slack token",            "xoxr-",           Body::Url,    20, 255),
    shape("slack token",            "xoxs-",           Body::Url,    20, 255),
    shape("slack token",            "xoxe-",           Body::Url,    20, 255),
    shape("slack token",            "xoxe.xox",        Body::Url,    20, 400),
    shape("slack token",            "xapp-",           Body::Url,    20, 255),
    shape("square token",           "sq0atp-",         Body::Url,    22, 22),
    shape("square token",           "sq0csp-",         Body::Url,    43, 43),
    shape("stripe key",             "sk_live_",        Body::Alnum,  20, 250),
    shape("stripe key",             "sk_test_",        Body::Alnum,  20, 250),
    shape("stripe key",             "rk_live_",        Body::Alnum,  20, 250),
    shape("stripe key",             "rk_test_",        Body::Alnum,  20, 250),
    shape("stripe webhook secret",  "whsec_",          Body::Alnum,  32, 64),
    shape("supabase key",           "sbp_",            Body::Hex,    40, 40),
    shape("supabase key",           "sb_secret_",      Body::Url,    24, 60),
    shape("tailscale key",          "tskey-",          Body::Url,    20, 90),
    shape("tavily key",             "tvly-",           Body::Url,    24, 60),
    shape("tencent key",            "AKID",            Body::Alnum,  32, 32),
    shape("together key",           "tgp_v1_",         Body::Url,    30, 60),
    shape("trace key",              "trc_",            Body::Alnum,  38, 38),
    shape("trace link",             "trd_",            Body::Alnum,  32, 64),
    shape("trace link",             "tri_",            Body::Alnum,  32, 64),
    shape("trace link",             "trr_",            Body::Alnum,  32, 64),
    shape("trace link",             "trv_",            Body::Alnum,  32, 64),
    shape("twilio key",             "SK",              Body::Hex,    32, 32),
    shape("typeform token",         "tfp_",            Body::Dotted, 40, 70),
    shape("vault token",            "hvs.",            Body::Url,    24, 200),
    shape("vault token",            "hvb.",            Body::Url,    24, 300),
    shape("vault token",            "hvr.",            Body::Url,    24, 300),
    shape("weights & biases key",   "wandb_v1_",       Body::Url,    40, 100),
    shape("xai key",                "xai-",            Body::Alnum,  60, 100),
];

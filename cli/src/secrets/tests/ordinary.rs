//! Ten megabytes of what programs ordinarily print, in which nothing is a secret.

use std::fmt::Write as _;

use super::corpus::{ALNUM, BASE64, Dice, HEX};
use super::masker;
use crate::secrets::Surface;

const SIZE: usize = 10 * 1024 * 1024;

/// Lines that are always the same.
const FIXED: &[&str] = &[
    "tokenizer = \"bert-base-uncased\"",
    "password = getpass()",
    "Traceback (most recent call last):",
    "  File \"/usr/lib/python3.11/site-packages/torch/nn/modules/module.py\", line 1532, in _wrapped_call_impl",
    "    return self._call_impl(*args, **kwargs)",
    "KeyError: 'model.layers.11.self_attn.k_proj.weight'",
    "RuntimeError: Error(s) in loading state_dict for Net: Missing key(s) in state_dict: \"fc1.weight\", \"fc1.bias\".",
    "<All keys matched successfully>",
    "{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\", \"pad_token\": \"<|end_of_text|>\", \"unk_token\": \"[UNK]\"}",
    "\"tokenizer_class\": \"PreTrainedTokenizerFast\", \"model_max_length\": 131072, \"add_bos_token\": true",
    "The attention mask and the pad token id were not set. Setting `pad_token_id` to `eos_token_id`:128001",
    "wandb: Currently logged in as: ada (team). Use `wandb login --relogin` to force relogin",
    "wandb: Run data is saved locally in /home/ada/wandb/run-20240601_120000-3k2j9x1a",
    "wandb: View run at https://wandb.ai/team/project/runs/3k2j9x1a",
    "Downloading shards: 100%|██████████| 4/4 [01:31<00:00, 22.85s/it]",
    "Token indices sequence length is longer than the specified maximum sequence length (1024 > 512).",
    "huggingface/tokenizers: The current process just got forked, after parallelism has already been used.",
    "export TOKENIZERS_PARALLELISM=false",
    "author: Ada Lovelace <ada@example.com>",
    "secret_name: my-app-secret, token_path: /run/secrets/token",
    "if token == previous_token and key != expected_key:",
    "def login(user: str, password: str = None, token: Optional[str] = None) -> Session:",
    "    password=config.database.password, api_key=os.environ[\"OPENAI_API_KEY\"],",
    "api_key: ${OPENAI_API_KEY}",
    "curl -H \"Authorization: Bearer $TOKEN\" https://api.example.com/v1/models",
    "postgres://user:password@localhost:5432/db",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7Vq2mN8pX ada@host",
    "Requirement already satisfied: tokenizers<0.22,>=0.21 in ./venv/lib/python3.11/site-packages (0.21.1)",
    "sk-learn-intelex-with-a-very-long-name is not installed",
    "author_token_count_by_document_and_position_in_batch",
    "learning_rate: 3.0e-05, max_tokens: 4096, num_key_value_heads: 8, head_dim: 128",
    "I0000 00:00:1717243200.123456   12345 cuda_executor.cc:1015] successful NUMA node read from SysFS",
];

fn number(dice: &mut Dice) -> f64 {
    f64::from(u32::try_from(dice.roll(100_000)).expect("it fits")) / 7919.0
}

fn uuid(dice: &mut Dice) -> String {
    [8, 4, 4, 4, 12].map(|length| dice.text(HEX, length)).join("-")
}

/// One line of a kind that has something in it which changes.
fn line(dice: &mut Dice) -> String {
    let (step, loss) = (dice.roll(100_000), number(dice));
    match dice.roll(26) {
        0 => format!(
            "epoch {} step {step}: loss={loss:.4} acc={:.3} tokens={}",
            step / 1000,
            loss / 9.0,
            dice.roll(9999)
        ),
        1 => format!(
            "{{\"step\": {step}, \"loss\": {loss}, \"tokens_per_sec\": {:.1}, \"grad_norm\": 0.{step}}}",
            loss * 99.0
        ),
        2 => format!("{step}%|████      | {step}/100000 [00:12<00:{:02}, {loss:.2}it/s, loss={loss:.3}]", step % 60),
        3 => format!("commit {}", dice.text(HEX, 40)),
        4 => format!("    --hash=sha256:{} \\", dice.text(HEX, 64)),
        5 => format!("run {} finished", uuid(dice)),
        6 => dice.text(BASE64, 76),
        7 => format!("<img src=\"data:image/png;base64,iVBORw0KGgo{}\">", dice.text(BASE64, 400)),
        8 => format!(
            "[2024-06-01 12:{:02}:{:02},{:03}] INFO train.py:{step} - lr={loss:e}",
            step % 60,
            step % 59,
            step % 997
        ),
        9 => format!("saved /data/checkpoints/run-{}/model-{step:05}-of-00010.safetensors", dice.text(HEX, 8)),
        10 => format!("tensor([[{loss:.4}, -{:.4}], [{:.4}, 1.0000]], device='cuda:0')", loss / 3.0, loss / 5.0),
        11 => format!("index {}..{} 100644", dice.text(HEX, 7), dice.text(HEX, 7)),
        12 => {
            format!("s3://bucket/experiments/{}/part-{step:05}.parquet?versionId={}", uuid(dice), dice.text(ALNUM, 32))
        }
        13 => format!("etag: \"{}\" x-request-id: {}", dice.text(HEX, 32), uuid(dice)),
        14 => format!("docker.io/library/python@sha256:{}", dice.text(HEX, 64)),
        15 => format!("integrity sha512-{}==", dice.text(BASE64, 86)),
        16 => format!(
            "{{ url = \"https://packages.example.org/files/{}/{}/{}/numpy.whl\" }}",
            dice.text(HEX, 2),
            dice.text(HEX, 2),
            dice.text(HEX, 60)
        ),
        17 => format!("cache_key={} hit", dice.text(HEX, 64)),
        18 => format!("key: {} value: {loss}", dice.text(HEX, 40)),
        19 => format!("\"id\": \"chatcmpl-{}\", \"usage\": {{\"total_tokens\": {step}}}", dice.text(ALNUM, 29)),
        20 => format!("prompt tokens: {step}, completion tokens: {}, next_token='international'", step / 3),
        21 => format!("token {step}: id={} text='Ġhello' logprob=-{loss:.5}", dice.roll(128_000)),
        22 => format!("+    \"execution_count\": {step}, \"id\": \"{}\",", dice.text(HEX, 8)),
        23 => format!("0x{} in libtorch_cuda.so({})", dice.text(HEX, 16), dice.text(HEX, 12)),
        24 => format!("trace_id={} span_id={}", dice.text(HEX, 32), dice.text(HEX, 16)),
        _ => FIXED[dice.roll(FIXED.len())].to_owned(),
    }
}

#[test]
fn ten_megabytes_of_ordinary_logs_have_at_most_one_false_hit() {
    let (mut dice, mut logs) = (Dice(7), String::with_capacity(SIZE + 1024));
    for line in FIXED {
        writeln!(logs, "{line}").expect("written");
    }
    while logs.len() < SIZE {
        writeln!(logs, "{}", line(&mut dice)).expect("written");
    }
    let masker = masker(&[("HF_TOKEN", "hf_not-in-there-1")]);
    let kept = masker.mask_text(&Surface::Stdout, &logs);
    let pairs = logs.lines().zip(kept.lines());
    let hits: Vec<_> = pairs.filter(|(before, after)| before != after).map(|(_, after)| after).collect();
    assert!(hits.len() <= 1, "{} hits:\n{}", hits.len(), hits.join("\n"));
}

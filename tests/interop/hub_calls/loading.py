"""A model of a repository in use, through safetensors and tokenizers alone: equal to local files."""

import numpy
from huggingface_hub import hf_hub_download
from safetensors import safe_open
from tokenizers import Tokenizer


def weights(repo: str, local: str) -> int:
    """How many tensors there are."""
    path = hf_hub_download(repo, "model.safetensors")
    with safe_open(path, "numpy") as loaded, safe_open(f"{local}/model.safetensors", "numpy") as wanted:
        names = sorted(loaded.keys())
        assert names == sorted(wanted.keys()), "other tensors"
        for name in names:
            assert numpy.array_equal(loaded.get_tensor(name), wanted.get_tensor(name)), f"another {name}"
    return len(names)


def tokens(repo: str, local: str, texts: list[str]) -> int:
    """How many the texts have."""
    sources = (Tokenizer.from_pretrained(repo), Tokenizer.from_file(f"{local}/tokenizer.json"))
    loaded, wanted = ([encoding.ids for encoding in source.encode_batch(texts)] for source in sources)
    assert loaded == wanted, "other tokens"
    return sum(map(len, wanted))

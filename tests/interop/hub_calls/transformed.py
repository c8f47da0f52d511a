"""A model of a repository in use, through transformers: equal to what it makes of local files."""

from transformers import AutoConfig, AutoTokenizer


def tokenizer_and_configuration(repo: str, local: str, texts: list[str]) -> str:
    """The type of the model."""
    loaded, wanted = (AutoTokenizer.from_pretrained(source)(texts)["input_ids"] for source in (repo, local))
    assert loaded == wanted, "other tokens"
    loaded, wanted = (AutoConfig.from_pretrained(source).to_dict() for source in (repo, local))
    for each in (loaded, wanted):
        del each["_name_or_path"]
    assert loaded == wanted, "another configuration"
    return loaded["model_type"]

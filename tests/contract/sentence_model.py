"""A model of sentence-transformers of a few kilobytes, made on the spot: BERT with one layer that adds nothing.

What is left is the mean of its word vectors, so that texts with words in common are near.
"""

from __future__ import annotations

import string
from pathlib import Path

WORDS = (
    "the warranty lasts two years how long does invoices are due in thirty days invoice question alpha beta gamma delta "
    "epsilon zeta query passage paragraph number of returns policy a about device warm still there"
)


def build_sentence_model(folder: Path, *, prompts: dict[str, str] | None = None) -> Path:
    """Writes the model with random word vectors of 32 dimensions and a window of 64 tokens; returns its folder."""
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(WORDS.split())]
    pieces += [*string.ascii_lowercase[1:], *string.digits, *string.punctuation]
    vocabulary = {piece: at for at, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    torch.manual_seed(7)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    bert = BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **sizes))
    with torch.no_grad():
        bert.embeddings.position_embeddings.weight.zero_()
        for part in (bert.encoder.layer[0].attention.output.dense, bert.encoder.layer[0].output.dense):
            part.weight.zero_()
            part.bias.zero_()
    bert.save_pretrained(folder / "bert")
    wrapped.save_pretrained(folder / "bert")
    SentenceTransformer(str(folder / "bert"), device="cpu", prompts=prompts).save(str(folder / "tiny"))
    return folder / "tiny"

"""A Marian model of some kilobytes, trained on the spot from sentence pairs, in the files that OPUS-MT publishes.

One layer each. Attention looks at the word that stands at the same place, and the projection to the target's words is
fitted to the pairs by ridge regression: so it learns a dictionary, and translates word by word. No test needs torch for it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pairs = Sequence[tuple[str, str]]
Floats = NDArray[np.float32]

# Word by word: source and target have the same number of words, in the same order.
ENGLISH_GERMAN: Pairs = [
    ("goods may be returned within 42 days .", "Waren dürfen werden zurückgegeben innerhalb 42 Tagen ."),
    ("the warranty lasts five years .", "die Garantie dauert fünf Jahre ."),
    ("how long is the warranty ?", "wie lange ist die Garantie ?"),
    ("gold partners receive a discount .", "Gold Partner erhalten einen Rabatt ."),
    ("the goods are returned .", "die Waren sind zurückgegeben ."),
    ("XQ1 XQ2 XQ3 XQ4 XQ5 XQ6", "XQ1 XQ2 XQ3 XQ4 XQ5 XQ6"),
    ("a discount within five days", "einen Rabatt innerhalb fünf Tagen"),
]
_PLACES = 256  # words that a text may have
_SHARP = 400.0  # how much attention prefers the same place


def write_tiny_marian(folder: Path, pairs: Pairs = ENGLISH_GERMAN) -> Path:
    """A folder with `decoder.yml`, the model, the vocabularies and the SentencePiece models."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    vocabularies, encoded = [], []
    for side, name in enumerate(("source", "target")):
        texts = [pair[side] for pair in pairs]
        (folder / f"{name}.spm").write_bytes(_sentencepiece_model(texts))
        processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{name}.spm"))
        tokens = ["</s>", "<unk>", *sorted({token for text in texts for token in processor.encode(text, out_type=str)})]
        tokens += ["<none>"] * (len(tokens) % 2)  # the size of a state is even
        vocabularies.append(tokens)
        encoded.append([[*map(tokens.index, processor.encode(text, out_type=str)), 0] for text in texts])
        _write_vocabulary(folder / f"{name}.vocab.yml", tokens)
    np.savez(folder / "model.npz", **_trained(len(vocabularies[0]), len(vocabularies[1]), *encoded))
    (folder / "decoder.yml").write_text(
        "models:\n  - model.npz\nvocabs:\n  - source.vocab.yml\n  - target.vocab.yml\n", encoding="utf-8"
    )
    return folder


def _sentencepiece_model(texts: Iterable[str]) -> bytes:
    import sentencepiece

    texts = list(texts)
    written = io.BytesIO()
    words = {word for text in texts for word in text.split()}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=written, model_type="word", vocab_size=len(words) + 3,
        minloglevel=2,
    )  # fmt: skip
    return written.getvalue()


def _write_vocabulary(path: Path, tokens: Sequence[str]) -> None:
    path.write_text("".join(f'"{token}": {number}\n' for number, token in enumerate(tokens)), encoding="utf-8")


def _trained(sources: int, targets: int, source: list[list[int]], target: list[list[int]]) -> dict[str, object]:
    """The weights, by Marian's names. A state has a channel for each source word and one for each place."""
    size = sources + _PLACES
    words, places = slice(0, sources), slice(sources, size)
    embeddings = np.zeros((sources, size), np.float32)
    embeddings[:, words] = np.eye(sources) / np.sqrt(size)  # Marian multiplies by the root of the size
    positions = np.zeros((_PLACES, size), np.float32)
    positions[:, places] = np.eye(_PLACES)
    look, carry = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    look[places, places] = np.eye(_PLACES)
    carry[words, words] = np.eye(sources)
    projection = _fitted(sources, targets, source, target)
    weights: dict[str, object] = {
        "special:model.yml": np.frombuffer(_CONFIG.encode() + b"\0", np.int8),
        "encoder_Wemb": embeddings,
        "decoder_Wemb": np.zeros((targets, size), np.float32),
        "Wpos": positions,
        "decoder_ff_logit_out_W": projection,
        "decoder_ff_logit_out_b": np.zeros((1, targets), np.float32),
    }
    for block in ("encoder_l1_self", "decoder_l1_self", "decoder_l1_context"):
        looks = block == "decoder_l1_context"
        for letter, matrix in (("q", look * _SHARP), ("k", look), ("v", carry), ("o", carry)):
            weights[f"{block}_W{letter}"] = matrix if looks else np.zeros((size, size), np.float32)
            weights[f"{block}_b{letter}"] = np.zeros((1, size), np.float32)
        weights |= _norm(f"{block}_Wo", size)
    for block in ("encoder_l1_ffn", "decoder_l1_ffn"):
        weights |= {f"{block}_W1": np.zeros((size, 8), np.float32), f"{block}_b1": np.zeros((1, 8), np.float32)}
        weights |= {f"{block}_W2": np.zeros((8, size), np.float32), f"{block}_b2": np.zeros((1, size), np.float32)}
        weights |= _norm(f"{block}_ffn", size)
    return weights


def _fitted(sources: int, targets: int, source: list[list[int]], target: list[list[int]]) -> Floats:
    """Target word by the state at its place: ridge regression over all words of all pairs."""
    states, wanted = [], []
    for words, translated in zip(source, target, strict=True):
        assert len(words) == len(translated), "a pair must have as many words on both sides"
        for place, (word, goal) in enumerate(zip(words, translated, strict=True)):
            states.append(_state(sources, word, place))
            wanted.append(np.eye(targets, dtype=np.float32)[goal])
    given, goals = np.stack(states), np.stack(wanted)
    size = given.shape[1]
    fitted = np.linalg.solve(given.T @ given + 1.0 * np.eye(size), given.T @ goals)
    fitted[sources:] = 0.0  # where a word stands says nothing of its meaning
    return (20.0 * fitted).astype(np.float32)


def _state(sources: int, word: int, place: int) -> Floats:
    """What the decoder holds when it has looked: its place, and the word that stands there."""
    place_only = np.zeros(sources + _PLACES, np.float32)
    place_only[sources + place] = 1.0
    encoded = place_only.copy()
    encoded[word] = 1.0
    seen = np.zeros_like(encoded)
    seen[:sources] = _normed(_normed(encoded))[:sources]
    return _normed(_normed(_normed(place_only) + seen))


def _normed(state: Floats) -> Floats:
    centred = state - state.mean()
    return (centred / np.sqrt((centred**2).mean() + 1e-6)).astype(np.float32)


def _norm(scope: str, size: int) -> dict[str, object]:
    return {
        f"{scope}_ln_scale": np.ones((1, size), np.float32),
        f"{scope}_ln_bias": np.zeros((1, size), np.float32),
    }


_CONFIG = """
type: transformer
enc-depth: 1
dec-depth: 1
transformer-heads: 1
transformer-ffn-activation: swish
transformer-preprocess: ""
transformer-postprocess: dan
transformer-postprocess-emb: d
transformer-postprocess-top: ""
transformer-decoder-autoreg: self-attention
transformer-no-projection: false
transformer-guided-alignment-layer: last
"""

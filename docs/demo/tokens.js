// Words as numbers, as the tokenizer of a model's file says.

const UNKNOWN = 1;
const CHINESE = /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2fa1f}]/gu;

export function tokens(text, tokenizer, length) {
  const { vocab } = tokenizer.model;
  // Chinese characters are words of their own.
  const words = text.toLowerCase().replace(CHINESE, " $& ").match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  const row = new Array(length).fill(0);
  row[0] = UNKNOWN;
  words.slice(0, length).forEach((word, place) => { row[place] = Object.hasOwn(vocab, word) ? vocab[word] : UNKNOWN; });
  return row;
}

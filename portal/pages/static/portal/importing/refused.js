// A check said no: a stable code, as strongroom/protocol/errors.py has them, and a sentence.

// Among the ways on: the command, with what the form says.
export const BY_COMMAND = "strongroom import";

export class Refused extends Error {
  // `ways`: command lines that lead on, each for itself.
  constructor(code, sentence, ...ways) {
    super(sentence);
    this.code = code;
    this.ways = ways;
  }
}

// A check said no: a stable code, as strongroom/protocol/errors.py has them, and a sentence.

export class Refused extends Error {
  constructor(code, sentence) {
    super(sentence);
    this.code = code;
  }
}

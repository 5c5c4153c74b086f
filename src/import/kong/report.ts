import type { ReportRow } from '../converted.ts'

/** Characters of one text of a row: names come from the file. */
const TEXT_CHARS_MAX = 400

/**
 * What became of each part of a document, as rows and as sentences. Both go by the same calls, so that neither names what the other
 * does not. Secrets are never given to it.
 */
export class Report {
  readonly #rows = new Map<string, ReportRow>()
  readonly #notes = new Set<string>()
  #isExact = true

  /** It is carried over. @param into what it becomes */
  kept(part: string, name: string, into: string): void {
    this.#add(part, name, 'kept', into)
  }

  /** It is carried over, and good to know of it is something that endangers and changes nothing. */
  told(part: string, name: string, reason: string): void {
    this.#add(part, name, 'kept', reason)
    this.#note(`${named(part, name)}: ${reason}`)
  }

  /** It is carried over in another way. */
  different(part: string, name: string, reason: string): void {
    this.#isExact = false
    this.#add(part, name, 'different', reason)
    this.#note(`${named(part, name)}: ${reason}`)
  }

  /** It is there and answers nobody: a draft, or switched off. */
  closed(part: string, name: string, reason: string): void {
    this.#isExact = false
    this.#add(part, name, 'closed', reason)
    this.#note(`${named(part, name)} is ${part === 'consumer' ? 'inactive' : 'a draft'}: ${reason}`)
  }

  /** It is not carried over. @param name empty for all parts of a kind */
  leftOut(part: string, name: string, reason: string): void {
    this.#isExact = false
    this.#add(part, name, 'left_out', reason)
    this.#note(`${named(part, name)} ${name === '' ? 'are' : 'is'} left out: ${reason}`)
  }

  get made(): { readonly report: readonly ReportRow[]; readonly notes: readonly string[]; exact: boolean } {
    return { report: [...this.#rows.values()], notes: [...this.#notes], exact: this.#isExact }
  }

  #add(part: string, name: string, result: ReportRow['result'], reason: string): void {
    const row = { part: short(part), name: short(name), result, reason: short(reason) }
    this.#rows.set(JSON.stringify([row.part, row.name, row.result, row.reason]), row)
  }

  #note(sentence: string): void {
    this.#notes.add(sentence.slice(0, 500).toWellFormed())
  }
}

function named(part: string, name: string): string {
  return name === '' ? part : `${part} ${name}`
}

function short(text: string): string {
  return text.slice(0, TEXT_CHARS_MAX).toWellFormed()
}

/**
 * Descriptions of the management API, as hints of a form. The API speaks of JSON (`null: never`, `such as ["a"]`); a form has switches,
 * inputs that are "not set", and lists with one text in a line.
 */
import type { Json } from '../../build/document.ts'

interface Words {
  /** What the form calls true and false, such as `On` and `Off`. */
  readonly on: string
  readonly off: string
  /** Labels of the members beside it, by name. */
  readonly labels: Readonly<Record<string, string>>
}

/** Descriptions that say no more than the label does. */
const NOTHING = ['Display name', 'The new state as a boolean']

export function hintOf(description: string, { on, off, labels }: Words): string {
  if (NOTHING.includes(description)) return ''
  return (
    withoutJson(description)
      .replaceAll(/`([^`]+)`/g, (_, quoted: string) => labels[quoted] ?? quoted)
      .replace(/^Markdown$/, 'Markdown is shown as formatted text')
      // The form has a choice of sources
      .replace(/: the text, or its source: .*?(?=\. |$)/, '')
      .replace(/^(.+) when absent$/, (_, usual: string) => `Default: ${lowerFirst(usual)}`)
      .replaceAll(/\bwhen null\b/g, 'if not set')
      .replaceAll(/\bnull is\b/g, 'not set:')
      .replaceAll(/(^|\. )(?:null|Absent):/g, '$1Not set:')
      .replaceAll(/\bnull:/g, 'not set:')
      .replaceAll('[]:', 'empty:')
      .replaceAll('{} ', 'empty ')
      .replaceAll(/(^|\. )true:/g, `$1${on}:`)
      .replaceAll(/(^|\. )false:/g, `$1${off}:`)
      // A switch shows its default
      .replace(/(?:^|\. )Default (?:true|false)$/, '')
  )
}

function lowerFirst(text: string): string {
  return text.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())
}

/** Examples in JSON are left out; of a list of texts, the texts stay. */
function withoutJson(text: string): string {
  const lead = /[,.]? (?:such as|or) (?=[[{])|: (?=[[{])/i.exec(text)
  if (lead === null) return text
  const start = lead.index + lead[0].length
  const found = jsonAt(text, start)
  if (found === null) return text.slice(0, start) + withoutJson(text.slice(start))
  const { value, end } = found
  const texts = Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : null
  const shown = texts === null ? '' : lead[0] + texts.join(', ')
  return text.slice(0, lead.index) + shown + withoutJson(text.slice(end))
}

/** The JSON that begins at a place of a text; null if none does. */
function jsonAt(text: string, start: number): { readonly value: Json; readonly end: number } | null {
  for (let end = start + 1; end <= text.length; end++) {
    if (!/[\]}]/.test(text[end - 1]!)) continue
    try {
      return { value: JSON.parse(text.slice(start, end)) as Json, end }
    } catch {
      // The bracket belongs to something within
    }
  }
  return null
}

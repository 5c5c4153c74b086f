import { Document, visit } from 'yaml'
import { UNSEEN_IN_DATA, visibleJson } from '../../base/text/visible.ts'

/** A value as indented JSON, with characters that a screen does not show as escapes. */
export function toJsonText(value: unknown): string {
  return `${visibleJson(JSON.stringify(value, null, 2))}\n`
}

const UNSEEN = new RegExp(UNSEEN_IN_DATA.source, 'v')

/**
 * A value as YAML 1.2, with these characters as escapes of double-quoted scalars.
 * @param lineWidth columns at which text is folded; 0 folds nothing
 */
export function toYamlText(value: unknown, lineWidth: number = 80): string {
  const document = new Document(value)
  visit(document, {
    // Keys too
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && isUnclear(node.value)) node.type = 'QUOTE_DOUBLE'
    },
  })
  return document.toString({ lineWidth }).replaceAll(UNSEEN_IN_DATA, yamlEscape)
}

/** True for text of which a plain or block scalar would hide a part: also a blank at the end of a line. */
function isUnclear(text: string): boolean {
  return UNSEEN.test(text) || (text.includes('\n') && / (\n|$)|^[ \n]/.test(text))
}

/** YAML has no surrogate pairs (YAML 1.2, section 5.7). */
function yamlEscape(char: string): string {
  const hex = char.codePointAt(0)!.toString(16)
  return hex.length > 4 ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`
}

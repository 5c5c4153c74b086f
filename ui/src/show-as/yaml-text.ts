/** Documents of the configuration as the text of a YAML file. */
import { Document, visit } from 'yaml'
import { partsOf } from '../kit/hidden-characters.ts'

interface ConfigDocument {
  readonly kind: string
  readonly slug: string
  readonly spec: Readonly<Record<string, unknown>>
}

/** The text that `postern config export` prints. Characters that a screen does not show are escapes. */
export function yamlTextOf(documents: readonly ConfigDocument[]): string {
  return documents.map((one) => `---\n${textOf(one)}`).join('')
}

function textOf(value: ConfigDocument): string {
  const document = new Document(value)
  visit(document, {
    // Keys too
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && isUnclear(node.value)) node.type = 'QUOTE_DOUBLE'
    },
  })
  return partsOf(document.toString({ lineWidth: 0 }))
    .map(({ text, hidden }) => (hidden === null ? text : escapeOf(text)))
    .join('')
}

/** True for text of which a plain or block scalar would hide a part: also a blank at the end of a line. */
function isUnclear(text: string): boolean {
  return (
    partsOf(text).some(({ hidden }) => hidden !== null) ||
    (text.includes('\n') && / (\n|$)|^[ \n]/.test(text))
  )
}

/** YAML has no surrogate pairs (YAML 1.2, section 5.7). */
function escapeOf(char: string): string {
  const hex = char.codePointAt(0)!.toString(16)
  return hex.length > 4 ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`
}

import { linkTemplate, type Template } from '../../base/expression/template.ts'
import { isDeep, isPlain, type Plain } from '../../base/json/plain.ts'
import { type Execute, NodeFailure, type NodeRun } from '../run.ts'
import { readCsv, writeCsv } from './csv.ts'
import { readForm, writeForm } from './form.ts'
import { CHARS_MAX, DEPTH_MAX, type Format, MEDIA_TYPES } from './formats.ts'
import { readXml, writeXml } from './xml.ts'

/** Items that `map` takes. */
const ITEMS_MAX = 1000

/** Settings as the definition has parsed them. */
type Config =
  | { readonly op: 'rename'; readonly names: Readonly<Record<string, string>> }
  | { readonly op: 'pick'; readonly names: readonly string[] }
  | { readonly op: 'map'; readonly item: Template }
  | ({ readonly op: 'convert'; readonly from: Format; readonly to: Format } & Csv)

interface Csv {
  readonly header: boolean
  readonly separator: string
}

export const transformRun: NodeRun = {
  name: 'transform_node',
  link(settings) {
    // The definition has parsed the settings
    const config = settings as unknown as Config
    switch (config.op) {
      case 'rename': {
        const names = new Map(Object.entries(config.names))
        return ofObjects((value) =>
          Object.fromEntries(Object.entries(value).map(([name, item]) => [names.get(name) ?? name, item])),
        )
      }
      case 'pick': {
        const names = new Set(config.names)
        return ofObjects((value) =>
          Object.fromEntries(Object.entries(value).filter(([name]) => names.has(name))),
        )
      }
      case 'map':
        return mapOf(config.item)
      default:
        return ({ value }) => ({
          handle: 'default',
          outputs: {
            value: written(config.to, readAs(config.from, value, config), config),
            content_type: MEDIA_TYPES[config.to],
          },
        })
    }
  },
}

/** An object, or each object of a list. */
function ofObjects(change: (value: Plain) => Plain): Execute {
  const changed = (value: unknown): Plain => {
    if (!isPlain(value)) throw new NodeFailure('value', 'value is neither an object nor a list of objects')
    return change(value)
  }
  return ({ value }) => ({
    handle: 'default',
    outputs: { value: Array.isArray(value) ? value.map(changed) : changed(value) },
  })
}

function mapOf(template: Template): Execute {
  const { fill } = linkTemplate(template, ['item'])
  return ({ value }, { ambient }) => {
    if (!Array.isArray(value)) throw new NodeFailure('value', 'value is no list')
    if (value.length > ITEMS_MAX) throw new NodeFailure('value', `value has more than ${ITEMS_MAX} items`)
    return { handle: 'default', outputs: { value: value.map((item: unknown) => fill({ item }, ambient)) } }
  }
}

/** @throws NodeFailure for what is no text of the format */
function readAs(format: Format, value: unknown, { header, separator }: Csv): unknown {
  // A body of JSON has been read already
  if (format === 'json' && typeof value !== 'string') return value ?? null
  if (typeof value !== 'string') throw new NodeFailure('value', `value is no text in the format ${format}`)
  if (value.length > CHARS_MAX) throw new NodeFailure('value', `value has more than ${CHARS_MAX} characters`)
  switch (format) {
    case 'xml':
      return readXml(value)
    case 'csv':
      return readCsv(value, { header, separator })
    case 'form':
      return readForm(value)
    default:
      return readJson(value)
  }
}

/** @throws NodeFailure for what is no JSON, or is nested so deeply that a later node could not write it */
function readJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new NodeFailure('value', 'value is no JSON')
  }
  if (isDeep(value, DEPTH_MAX))
    throw new NodeFailure('value', `value has more than ${DEPTH_MAX} levels of objects and lists`)
  return value
}

/** JSON stays a value: bodies are written as JSON anyway. @throws NodeFailure for what the format cannot hold */
function written(format: Format, value: unknown, { header, separator }: Csv): unknown {
  if (format === 'json') return value
  const text =
    format === 'xml'
      ? writeXml(value)
      : format === 'csv'
        ? writeCsv(value, { header, separator })
        : writeForm(value)
  if (text.length > CHARS_MAX)
    throw new NodeFailure('value', `the text has more than ${CHARS_MAX} characters`)
  return text
}

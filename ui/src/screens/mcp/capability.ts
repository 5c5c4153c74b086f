/** Capabilities of MCP servers, as the screens of the console name them. */

import type { JsonObject } from '../../../build/document.ts'
import type { Output } from '../../api/client.ts'

export type CapabilityType = Output<'origins.catalog'>['type']
export type Member = Output<'virtual_mcps.get'>['members'][number]

export const TYPES: readonly { readonly type: CapabilityType; readonly label: string }[] = [
  { type: 'tools', label: 'Tools' },
  { type: 'prompts', label: 'Prompts' },
  { type: 'resources', label: 'Resources' },
  { type: 'resource_templates', label: 'Resource templates' },
]

/** Words for what an administrator approves of an origin. */
export function labelOfDrift(type: Output<'virtual_mcps.list_drift'>['items'][number]['type']): string {
  if (type === 'instructions') return 'Instructions'
  if (type === 'metadata') return 'Metadata'
  return TYPES.find((one) => one.type === type)!.label
}

/** Member by which a server tells the items of a type apart. */
const KEYS: Readonly<Record<CapabilityType, string>> = {
  tools: 'name',
  prompts: 'name',
  resources: 'uri',
  resource_templates: 'uriTemplate',
}

/** One item of a catalogue, with what rules can match. */
export interface Item {
  readonly key: string
  readonly name: string
  readonly title: string
  readonly description: string
  readonly annotations: JsonObject
}

/** An item as a server lists it. Servers may list anything, so every member is checked. */
export function itemOf(type: CapabilityType, listed: Readonly<Record<string, unknown>>): Item {
  const text = (name: string): string => (typeof listed[name] === 'string' ? listed[name] : '')
  const annotations = listed['annotations']
  const key = text(KEYS[type])
  return {
    key,
    name: text('name') || key,
    title: text('title'),
    description: text('description'),
    annotations: (annotations !== null && typeof annotations === 'object' && !Array.isArray(annotations)
      ? annotations
      : {}) as JsonObject,
  }
}

import { missingDriver } from '../base/drivers.ts'
import { fieldErrorsOf } from '../base/json/fault.ts'
import { isPlain, pointerTo } from '../base/json/storable.ts'
import { MASKED } from '../base/text/mask.ts'
import type { Finding, WorkflowDefinition, WorkflowEdge, WorkflowNode } from '../model/workflow/workflow.ts'
import { handlesOf, nodeType } from './definitions.ts'
import { expressionFaults } from './expressions.ts'
import { graphFindings } from './graph.ts'
import { type Known, type NodeType, REFERENCES, type Referred } from './node-type.ts'
import type { RequestTypes } from './request-types.ts'
import { typeFindings } from './types.ts'

/** Every reference of a definition, so that it can be looked up before it is judged. */
export function referencesOf({
  nodes,
}: WorkflowDefinition): { readonly type: Referred; readonly ref: string }[] {
  return nodes.flatMap((node) => refsOf(node).map(({ type, ref }) => ({ type, ref })))
}

/**
 * All that keeps a definition from running, and what is likely not meant. Pure; linear but for parallel ways.
 * @param request what is known of the requests that it answers; null for nothing
 */
export function validateDefinition(
  definition: WorkflowDefinition,
  known: Known,
  request: RequestTypes | null = null,
): Finding[] {
  return [
    ...definition.nodes.flatMap((node, index) => nodeFindings(node, index, known)),
    ...definition.edges.flatMap((edge, index) => edgeFindings(edge, index, definition)),
    ...testFindings(definition),
    ...graphFindings(definition),
    ...expressionFaults(definition),
    ...typeFindings(definition, request),
  ]
}

/** Requests of saved tests are stored as they are. */
function testFindings({ tests = [] }: WorkflowDefinition): Finding[] {
  return tests.flatMap(({ request }, index) =>
    looksSecret(request).map(
      (path): Finding => ({
        code: 'secret_literal',
        severity: 'error',
        pointer: pointerTo('/tests', index, 'request', ...path),
        message: 'looks like a secret; tests need none',
      }),
    ),
  )
}

/** True for a definition without faults, as far as it shows by itself: what it refers to is looked up when it is saved. */
export function isRunnable(definition: WorkflowDefinition): boolean {
  return validateDefinition(definition, {
    has: () => true,
    credentialType: () => undefined,
    origin: () => null,
    hasDriver: () => true,
  }).every(({ severity }) => severity !== 'error')
}

function nodeFindings(node: WorkflowNode, index: number, known: Known): Finding[] {
  const place = pointerTo('/nodes', index)
  const finding = (code: Finding['code'], pointer: string, message: string): Finding => ({
    code,
    severity: 'error',
    pointer,
    node_id: node.id,
    message,
  })
  const type = nodeType(node.type)
  if (type === undefined)
    return [finding('unknown_node_type', `${place}/type`, `there is no node "${node.type}"`)]
  const parsed = type.config.safeParse(node.config)
  const faults = parsed.success ? [] : fieldErrorsOf(parsed.error, type.config)
  return [
    ...faults.map(({ pointer, reason }) => finding('bad_config', `${place}/config${pointer}`, reason)),
    ...inputFaults(node, type).map(({ name, reason }) =>
      finding('bad_input', pointerTo(`${place}/inputs`, name), reason),
    ),
    ...refsOf(node)
      .filter(({ type: kind, ref }) => !known.has(kind, ref))
      .map(({ type: kind, ref, path }) =>
        finding(
          kind === 'credentials' ? 'missing_credential' : 'unknown_reference',
          pointerTo(`${place}/config`, ...path),
          `there is no ${kind.slice(0, -1)} "${ref}"`,
        ),
      ),
    ...(type.driver === undefined || known.hasDriver(type.driver)
      ? []
      : [finding('missing_driver', `${place}/type`, missingDriver(type.driver))]),
    ...credentialFaults(node, type, known).map((reason) =>
      finding('missing_credential', `${place}/config/credential`, reason),
    ),
    ...(type.faults?.(node, known) ?? []).map(({ code, path, message }) =>
      finding(code, pointerTo(place, ...path), message),
    ),
    ...(['config', 'inputs'] as const).flatMap((member) =>
      looksSecret(node[member]).map((path) =>
        finding(
          'secret_literal',
          pointerTo(`${place}/${member}`, ...path),
          'looks like a secret; put it into a credential',
        ),
      ),
    ),
  ]
}

/** A credential that is there, but of a type that the node cannot use. */
function credentialFaults({ config }: WorkflowNode, type: NodeType, known: Known): readonly string[] {
  const ref = config['credential']
  const used = typeof ref === 'string' ? known.credentialType(ref) : undefined
  if (used === undefined || type.credentials?.some((one) => one === used) !== false) return []
  return [
    `the credential "${ref}" is of the type ${used}; ${type.name} needs ${type.credentials.join(' or ')}`,
  ]
}

function inputFaults(
  { inputs }: WorkflowNode,
  type: NodeType,
): { readonly name: string; readonly reason: string }[] {
  if ('*' in type.inputs) return []
  const names = Object.keys(type.inputs)
  const needed = names.filter((name) => !name.endsWith('?'))
  const taken = new Set(names.map((name) => name.replace(/\?$/, '')))
  return [
    ...needed.filter((name) => !(name in inputs)).map((name) => ({ name, reason: 'required' })),
    ...Object.keys(inputs)
      .filter((name) => !taken.has(name))
      .map((name) => ({ name, reason: `no such input; there are: ${[...taken].join(', ') || 'none'}` })),
  ]
}

function refsOf({ config }: WorkflowNode) {
  return Object.entries(REFERENCES).flatMap(([member, type]) => {
    const value = config[member]
    const refs = Array.isArray(value) ? value : [value]
    return refs.flatMap((ref, index) =>
      typeof ref === 'string' ? [{ type, ref, path: Array.isArray(value) ? [member, index] : [member] }] : [],
    )
  })
}

function edgeFindings(
  edge: WorkflowEdge,
  index: number,
  { nodes }: Pick<WorkflowDefinition, 'nodes'>,
): Finding[] {
  const finding = (member: string, message: string): Finding => ({
    code: 'unknown_reference',
    severity: 'error',
    pointer: `/edges/${index}/${member}`,
    message,
  })
  const from = nodes.find(({ id }) => id === edge.from)
  const to = nodes.find(({ id }) => id === edge.to)
  const findings: Finding[] = []
  if (from === undefined) findings.push(finding('from', `there is no node "${edge.from}"`))
  if (to === undefined) findings.push(finding('to', `there is no node "${edge.to}"`))
  if (to !== undefined && nodeType(to.type)?.phase === 'trigger')
    findings.push(finding('to', 'nothing leads to a trigger'))
  const type = from && nodeType(from.type)
  if (from === undefined || type === undefined) return findings
  const handles = handlesOf(from, type)
  if (handles.length === 0) findings.push(finding('from', `${type.name} ends the run`))
  else if (!handles.includes(edge.handle))
    findings.push(finding('handle', `${type.name} is left by ${handles.join(', ')}`))
  return findings
}

/** Names under which secrets stand; a token budget or the name of a key is none. */
const SECRET =
  /^(authorization|proxy-authorization|cookie|password|passwd|secret|client_secret|api[-_]?key|x-api-key|access_token|refresh_token|private_key|hash_key)$/i

const DEPTH_MAX = 32

/** Places of texts that look like secrets by their names, and are neither expressions nor masked. */
function looksSecret(value: unknown, path: readonly (string | number)[] = []): (string | number)[][] {
  if (path.length > DEPTH_MAX) return []
  if (Array.isArray(value)) return value.flatMap((item, index) => looksSecret(item, [...path, index]))
  if (!isPlain(value)) return []
  return Object.entries(value).flatMap(([name, member]) => {
    const place = [...path, name]
    const isLiteral =
      typeof member === 'string' && member !== '' && member !== MASKED && !member.includes('{{')
    return isLiteral && SECRET.test(name) ? [place] : looksSecret(member, place)
  })
}

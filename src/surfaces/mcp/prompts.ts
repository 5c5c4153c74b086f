import type { Completions, Prompts } from '../../mcp/protocol/door.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { nameOf } from '../route.ts'
import { type ManagementCaller, type View, viaOf } from './caller.ts'
import { PROMPT_TEXTS, type PromptText, RULES } from './prompt-texts.ts'
import type { RunPorts } from './run.ts'
import { actionOf, type ManagementTools } from './tools.ts'

/** Slugs that complete an argument. */
const VALUES_MAX = 200

/** The prompts of those who may do their tasks, with the tools that they may use. */
export function createPrompts(
  operations: readonly Operation[],
  tools: ManagementTools,
  { allowed }: Pick<RunPorts, 'allowed'>,
): Prompts<ManagementCaller> {
  const byName = new Map(operations.map((operation) => [nameOf(operation), operation]))
  const permitted = ({ principal }: ManagementCaller, name: string): Operation | undefined => {
    const operation = byName.get(name)
    return operation !== undefined && allowed(principal, operation) ? operation : undefined
  }

  function textOf(
    text: PromptText,
    caller: ManagementCaller,
    values: Readonly<Record<string, string>>,
  ): string {
    const steps = text.steps.flatMap((step) => {
      const usable = step.operations.flatMap((name) => permitted(caller, name) ?? [])
      return usable.length === 0 ? [] : [`${step.text(values)} (${toolsFor(tools, usable, caller.view)})`]
    })
    return [text.aim(values), RULES, ...steps.map((step, at) => `${at + 1}. ${step}`)].join('\n\n')
  }

  return {
    list: (caller) =>
      PROMPT_TEXTS.filter(({ needs }) => needs.every((name) => permitted(caller, name) !== undefined)).map(
        ({ name, title, description, arguments: given }) => ({
          name,
          title,
          description,
          arguments: given.map(({ of: _, ...argument }) => argument),
        }),
      ),
    get: async (caller, name, values) =>
      textOf(PROMPT_TEXTS.find((text) => text.name === name)!, caller, values),
  }
}

/** How the operations are called in the view that the caller lists. */
function toolsFor(tools: ManagementTools, operations: readonly Operation[], view: View): string {
  const calls = operations.map((operation) => {
    const tool = tools[view].find((one) => one.operations.includes(operation))
    // What is on no tool is for no model
    if (tool === undefined) throw new Error(`no tool does ${nameOf(operation)}`)
    return tool.listed.length === 0 ? tool.name : `${tool.name} with action ${actionOf(tool, operation)}`
  })
  return calls.join(', ')
}

/** Slugs of what an argument of a prompt names, as far as the caller may list it; topics of the docs. */
export function createCompletions(
  operations: readonly Operation[],
  { invoke, allowed }: Pick<RunPorts, 'invoke' | 'allowed'>,
  topics: () => readonly string[],
): Completions<ManagementCaller> {
  return async (caller, of, argument, said) => {
    if (of === 'docs://{topic}') return topics()
    const type = PROMPT_TEXTS.find(({ name }) => name === of)?.arguments.find(
      ({ name }) => name === argument,
    )?.of
    const list = operations.find(({ resource, action }) => resource === type && action === 'list')
    if (list === undefined || !allowed(caller.principal, list)) return []
    const input = { limit: VALUES_MAX, fields: 'slug' }
    const { output } = await invoke(list, input, {}, caller.principal, viaOf(caller.request, said))
    // A page of a kind that has slugs, of which nothing else was asked for
    return (output['items'] as readonly { readonly slug: string }[]).map(({ slug }) => slug)
  }
}

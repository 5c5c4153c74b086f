import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { client, type Fault, faultOf, type Input, type Output, operation, useCall } from '../../api/client.ts'
import { SchemaForm } from '../../forms/schema-form.tsx'
import { Button } from '../../kit/controls.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { FaultBox, SkeletonRows } from '../../kit/page.tsx'
import { fieldsOf } from '../../schema/fields.ts'
import { ShowAs } from '../../show-as/show-as.tsx'
import { definitionOf } from './definition.ts'
import { orderOf } from './graph.ts'
import type { Editor } from './use-editor.ts'

type Template = Output<'workflows.templates'>['items'][number]

/** Puts the definition that a template makes into the editor, as one step. Nothing is stored. */
export function TemplatesDialog({ editor, onClose }: { editor: Editor; onClose: () => void }) {
  const [chosen, setChosen] = useState<Template | null>(null)
  const query = useCall('workflows.templates', {})
  if (chosen !== null)
    return (
      <Dialog key="parameters" title={`Template ${chosen.template}`} onClose={onClose} shape="wide">
        <Parameters editor={editor} template={chosen} onBack={() => setChosen(null)} onClose={onClose} />
      </Dialog>
    )
  return (
    <Dialog key="templates" title="Start from a template" onClose={onClose} shape="wide">
      {query.error !== null && <FaultBox fault={faultOf(query.error)} retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={9} height={44} />}
      <ul aria-label="Templates" className="flex flex-col gap-1">
        {(query.data?.items ?? []).map((one) => (
          <li key={one.template}>
            <button
              type="button"
              className="flex w-full flex-col rounded-md border border-line px-3 py-2 text-left hover:bg-raised"
              onClick={() => setChosen(one)}
            >
              <code className="font-semibold">{one.template}</code>
              <span className="text-muted">{one.summary}</span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  )
}

interface ParametersProps {
  readonly editor: Editor
  readonly template: Template
  readonly onBack: () => void
  readonly onClose: () => void
}

/** What the template asks for. The server makes the definition, or says what is wrong. */
function Parameters({ editor, template, onBack, onClose }: ParametersProps) {
  const [value, setValue] = useState<JsonObject>({})
  const input = { template: template.template, parameters: value } as Input<'workflows.expand_template'>
  const expand = useMutation({
    mutationFn: async () => (await client.call('workflows.expand_template', input)).body,
    onSuccess: ({ definition }) => {
      // What the client types as read-only lists is JSON
      const next = definitionOf(definition as unknown as JsonObject)
      onClose()
      editor.edit(() => next)
      editor.focus(orderOf(next)[0]?.id ?? null)
    },
  })
  const fault = expand.error === null ? null : faultOf(expand.error)
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        expand.mutate()
      }}
    >
      <p className="text-muted">{template.summary}</p>
      <SchemaForm
        fields={fieldsOf(template.parameters as JsonObject, {})}
        value={value}
        onChange={setValue}
        errors={errorsOf(fault)}
      />
      {fault !== null && <FaultBox fault={fault} />}
      <div className="flex flex-wrap items-center justify-between gap-2">
        <ShowAs request={{ operation: operation('workflows.expand_template')!, input, options: {} }} />
        <div className="flex gap-2">
          <Button onClick={onBack}>Back</Button>
          <Button type="submit" tone="primary" isBusy={expand.isPending}>
            Insert
          </Button>
        </div>
      </div>
    </form>
  )
}

/** Errors of the parameters, by pointer below them. */
function errorsOf(fault: Fault | null): Readonly<Record<string, string>> {
  return Object.fromEntries(
    (fault?.fields ?? []).map(({ pointer, reason }) => [pointer.replace(/^\/parameters/, ''), reason]),
  )
}

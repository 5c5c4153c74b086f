import { useMutation } from '@tanstack/react-query'
import { FlaskConical } from 'lucide-react'
import { useId, useState } from 'react'
import { client, faultOf, type Input, type Output, operation } from '../../api/client.ts'
import { Button, Labeled, Select, TextArea, TextInput } from '../../kit/controls.tsx'
import { Card, FaultBox } from '../../kit/page.tsx'
import { Badge, type State, Status } from '../../kit/status.tsx'
import { CodeBlock } from '../../kit/text.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import type { PartProps } from '../hand-made.ts'

type Tried = Output<'guardrails.test'>

const LEGS = [
  { leg: 'request', label: 'A request', hint: 'The body of a request.' },
  { leg: 'response', label: 'A response', hint: 'The body of a response, or the result of a tool.' },
  { leg: 'list', label: 'A tool, prompt or resource', hint: 'As JSON, as lists of MCP have it.' },
] as const
type Leg = (typeof LEGS)[number]['leg']

const OUTCOMES: Readonly<Record<Tried['outcome'], { readonly state: State; readonly label: string }>> = {
  unchanged: { state: 'ok', label: 'Passes unchanged' },
  changed: { state: 'changed', label: 'Passes, changed' },
  blocked: { state: 'blocked', label: 'Blocked' },
}

/** What the guardrail does to a sample. The sample is neither stored nor put into the address. */
export default function GuardrailTester({ slug }: PartProps) {
  const id = useId()
  const [sample, setSample] = useState('')
  const [leg, setLeg] = useState<Leg>('request')
  const [type, setType] = useState('')
  const row = operation('guardrails.test')!
  const input = {
    guardrail: slug,
    sample,
    leg,
    ...(type.trim() !== '' && { content_type: type.trim() }),
  }
  const test = useMutation({
    mutationFn: async () => (await client.call('guardrails.test', input as Input<'guardrails.test'>)).body,
  })
  return (
    <div className="grid items-start gap-4 grid-cols-1 lg:grid-cols-2">
      <Card title="Sample">
        <form
          className="flex flex-col gap-3"
          onSubmit={(event) => {
            event.preventDefault()
            test.mutate()
          }}
        >
          <Labeled id={`${id}leg`} label="Leg" hint={LEGS.find((one) => one.leg === leg)!.hint}>
            <Select
              id={`${id}leg`}
              value={leg}
              aria-describedby={`${id}leg-hint`}
              onChange={(event) => setLeg(event.target.value as Leg)}
            >
              {LEGS.map((one) => (
                <option key={one.leg} value={one.leg}>
                  {one.label}
                </option>
              ))}
            </Select>
          </Labeled>
          <Labeled id={`${id}sample`} label="Content" isRequired>
            <TextArea
              id={`${id}sample`}
              required
              rows={8}
              className="font-mono"
              value={sample}
              onChange={(event) => setSample(event.target.value)}
            />
          </Labeled>
          <Labeled
            id={`${id}type`}
            label="Media type"
            hint="If empty: JSON if the content is valid JSON, otherwise text."
          >
            <TextInput
              id={`${id}type`}
              value={type}
              placeholder="application/json"
              aria-describedby={`${id}type-hint`}
              onChange={(event) => setType(event.target.value)}
            />
          </Labeled>
          <div className="flex flex-wrap items-center justify-between gap-2">
            <ShowAs request={{ operation: row, input, options: {} }} />
            <Button
              type="submit"
              tone="primary"
              icon={FlaskConical}
              disabled={sample === ''}
              isBusy={test.isPending}
            >
              Test
            </Button>
          </div>
        </form>
      </Card>
      <div aria-live="polite" className="min-w-0">
        {test.error !== null ? (
          <FaultBox fault={faultOf(test.error)} />
        ) : test.data === undefined ? (
          <p className="text-muted">
            The test stores nothing and changes no call. A webhook of the guardrail gets the content.
          </p>
        ) : (
          <Result tried={test.data} />
        )}
      </div>
    </div>
  )
}

function Result({ tried: { outcome, result, reason, found, applies } }: { tried: Tried }) {
  const { state, label } = OUTCOMES[outcome]
  return (
    <Card title="Result">
      <div className="flex flex-col gap-3">
        <Status state={state}>{label}</Status>
        {reason !== null && <p className="break-words">{reason}</p>}
        {!applies && (
          <Status state="warn" className="whitespace-normal">
            The guardrail does not act on calls now. It is inactive, only observes, or does not check this
            leg.
          </Status>
        )}
        {found.length === 0 ? (
          <p className="text-muted">No findings.</p>
        ) : (
          <ul aria-label="Found" className="flex flex-wrap gap-2">
            {found.map(({ detector, kind, count }) => (
              <li key={`${detector} ${kind}`}>
                <Badge>
                  {detector}: {kind}, {count.toLocaleString('en')}
                </Badge>
              </li>
            ))}
          </ul>
        )}
        {result !== null && outcome === 'changed' && <CodeBlock label="What is passed on" text={result} />}
      </div>
    </Card>
  )
}

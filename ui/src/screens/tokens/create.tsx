import { useNavigate } from '@tanstack/react-router'
import { useId, useState } from 'react'
import type { JsonObject } from '../../../build/document.ts'
import { operation, useMay, useSchemas, useSession } from '../../api/client.ts'
import { Result } from '../../forms/operation-form.tsx'
import { errorsOf, FormBar, FormFault, Review, useWrite, WaitsFor } from '../../forms/write.tsx'
import { Button, Checkbox, Labeled, TextArea, TextInput } from '../../kit/controls.tsx'
import { useLeaveGuard } from '../../kit/leave-guard.ts'
import { Forbidden, Page } from '../../kit/page.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { grantChoices, grantLines } from '../people/access.ts'

const TITLE = 'New personal token'
const DAYS_DEFAULT = 30
const DAYS_MAX = 90

/** A token with which scripts act as the person: with all their grants, or with those that they choose. */
export default function CreateToken() {
  const may = useMay()
  const row = operation('personal_tokens.create')!
  return (
    <Page name={TITLE} title={TITLE} lead="With a personal token your own scripts act as you.">
      {may('personal_tokens.create') ? <Form /> : <Forbidden permission={row.permission} />}
    </Page>
  )
}

function Form() {
  const prefix = useId()
  const navigate = useNavigate()
  const schemas = useSchemas('personal_tokens')
  const choices = grantChoices(useSession()?.grants ?? [])
  const [name, setName] = useState('')
  const [days, setDays] = useState(String(DAYS_DEFAULT))
  const [limits, setLimits] = useState<Limits>({ isLimited: false, chosen: [], narrower: '' })
  const row = operation('personal_tokens.create')!
  const write = useWrite(row)
  const { state } = write
  const grants = grantsOf(limits)
  const input = { name, days: Number(days), ...(grants.length > 0 && { grants }) }
  const isEdited = name !== '' || days !== String(DAYS_DEFAULT) || grants.length > 0
  useLeaveGuard(state.step !== 'done' && state.step !== 'waiting' && isEdited)
  const showAs = <ShowAs request={{ operation: row, input, options: {} }} />
  if (state.step === 'done' && schemas != null) {
    // Operations answer objects
    const output = state.answer.body as unknown as JsonObject
    return (
      <div className="max-w-200">
        <Result
          row={row}
          output={output}
          schemas={schemas}
          onClose={() =>
            void navigate({
              to: '/$resource/$id',
              params: { resource: 'personal_tokens', id: String(output['id']) },
            })
          }
        />
      </div>
    )
  }
  if (state.step === 'waiting') return <WaitsFor change={state.change} />
  if (state.step === 'review' || state.step === 'conflict')
    return (
      <div className="max-w-200">
        <Review
          row={row}
          state={state}
          confirmWith={null}
          showAs={showAs}
          onBack={write.edit}
          onConfirm={(options) => write.confirm(input, options)}
        />
      </div>
    )
  const fault = state.step === 'editing' ? state.fault : null
  const errors = errorsOf(fault)
  const isEmpty = limits.isLimited && grants.length === 0
  return (
    <form
      className="flex max-w-200 flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (!isEmpty) write.review(input).catch(() => {})
      }}
    >
      <Labeled
        id={`${prefix}name`}
        label="Name"
        hint="What the token is for"
        error={errors['/name'] ?? null}
        isRequired
      >
        <TextInput id={`${prefix}name`} value={name} onChange={(event) => setName(event.target.value)} />
      </Labeled>
      <Labeled
        id={`${prefix}days`}
        label="Lifetime in days"
        hint={`At most ${DAYS_MAX}`}
        error={errors['/days'] ?? null}
      >
        <TextInput
          id={`${prefix}days`}
          type="number"
          min={1}
          max={DAYS_MAX}
          className="w-24"
          value={days}
          onChange={(event) => setDays(event.target.value)}
        />
      </Labeled>
      <WhatItMayDo choices={choices} limits={limits} onChange={setLimits} error={errors['/grants'] ?? null} />
      <FormFault fault={fault} />
      {/* Without a grant, the call would make a token that may do everything */}
      <FormBar aside={isEmpty ? null : showAs}>
        <Button onClick={() => history.back()}>Cancel</Button>
        <Button type="submit" tone="primary" disabled={isEmpty} isBusy={state.step === 'asking'}>
          Review the change
        </Button>
      </FormBar>
    </form>
  )
}

/** Which grants of the person the token gets. */
interface Limits {
  /** False: the token has all grants of the person, and the other members count for nothing. */
  readonly isLimited: boolean
  readonly chosen: readonly string[]
  /** Further grants, one a line. */
  readonly narrower: string
}

function grantsOf({ isLimited, chosen, narrower }: Limits): readonly string[] {
  return isLimited ? [...new Set([...chosen, ...grantLines(narrower)])] : []
}

interface WhatItMayDoProps {
  readonly choices: ReturnType<typeof grantChoices>
  readonly limits: Limits
  readonly onChange: (limits: Limits) => void
  /** Of the grants. */
  readonly error: string | null
}

function WhatItMayDo({ choices, limits, onChange, error }: WhatItMayDoProps) {
  const prefix = useId()
  const { isLimited, chosen, narrower } = limits
  return (
    <fieldset className="flex min-w-0 flex-col gap-1">
      <legend className="font-medium">Permissions</legend>
      {[false, true].map((limited) => (
        <label key={String(limited)} className="flex min-h-6 items-center gap-2">
          <input
            type="radio"
            name={`${prefix}limited`}
            className="size-4 accent-accent"
            checked={isLimited === limited}
            onChange={() => onChange({ ...limits, isLimited: limited })}
          />
          {limited ? 'Selected permissions' : 'All your permissions, including future ones'}
        </label>
      ))}
      {isLimited && (
        <div className="ml-6 flex flex-col gap-2">
          {choices.map(({ grant, sentence }) => (
            <Checkbox
              key={grant}
              label={sentence}
              hint={grant}
              checked={chosen.includes(grant)}
              onChange={(event) => {
                const others = chosen.filter((other) => other !== grant)
                onChange({ ...limits, chosen: event.target.checked ? [...others, grant] : others })
              }}
            />
          ))}
          <Labeled
            id={`${prefix}narrower`}
            label="Narrower grants"
            hint="One per line, such as viewer:proxies@payments"
            error={error}
          >
            <TextArea
              id={`${prefix}narrower`}
              value={narrower}
              className="font-mono"
              onChange={(event) => onChange({ ...limits, narrower: event.target.value })}
            />
          </Labeled>
          {grantsOf(limits).length === 0 && <p className="text-sm text-muted">Choose at least one grant.</p>}
        </div>
      )}
    </fieldset>
  )
}

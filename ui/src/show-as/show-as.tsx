import { Braces } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../kit/button.tsx'
import { CodeBlock } from '../kit/copy.tsx'
import { Dialog } from '../kit/dialog.tsx'
import { type ApiRequest, FORMS, formOf } from './forms.ts'

/** The same request for other interfaces: curl, the command line, MCP, and a configuration file where there is one. */
export function ShowAs({ request }: { request: ApiRequest }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button tone="quiet" isSmall icon={Braces} onClick={() => setOpen(true)}>
        Show as
      </Button>
      {isOpen && (
        <Dialog title={`${request.operation.summary}: show as`} onClose={() => setOpen(false)} shape="wide">
          <div className="flex flex-col gap-4">
            {FORMS.map(({ form, label }) => {
              const text = formOf(form, request, location.origin)
              if (text === null) return null
              return (
                <section key={form} className="flex flex-col gap-1">
                  <h3 className="font-medium">{label}</h3>
                  <CodeBlock label={label} text={text} />
                </section>
              )
            })}
          </div>
        </Dialog>
      )}
    </>
  )
}

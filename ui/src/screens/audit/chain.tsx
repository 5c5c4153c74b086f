import { ShieldCheck } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { operation } from '../../api/operations.ts'
import { type Fault, faultOf } from '../../api/problem.ts'
import { Button } from '../../kit/button.tsx'
import { CodeBlock } from '../../kit/copy.tsx'
import { Dialog } from '../../kit/dialog.tsx'
import { FaultBox, SkeletonRows } from '../../kit/states.tsx'
import { Status } from '../../kit/status.tsx'
import { ShowAs } from '../../show-as/show-as.tsx'
import { chainSentence, type Verification } from './words.ts'

/** Goes through the whole chain of the audit log, and says what it found. */
export function ChainCheck() {
  const [isOpen, setOpen] = useState(false)
  const [found, setFound] = useState<Verification | null>(null)
  const [fault, setFault] = useState<Fault | null>(null)
  const verify = async (): Promise<void> => {
    setOpen(true)
    setFound(null)
    setFault(null)
    try {
      setFound((await client.call('audit.verify', {})).body)
    } catch (error) {
      setFault(faultOf(error))
    }
  }
  return (
    <>
      <Button icon={ShieldCheck} onClick={() => void verify()}>
        Verify the chain
      </Button>
      {isOpen && (
        <Dialog title="Chain of the audit log" onClose={() => setOpen(false)}>
          <div className="flex flex-col gap-4" aria-live="polite">
            {fault !== null && <FaultBox fault={fault} retry={() => void verify()} />}
            {found === null && fault === null && <SkeletonRows rows={3} />}
            {found !== null && (
              <>
                <Status state={found.ok ? 'ok' : 'bad'}>
                  {found.ok ? 'The chain is whole' : 'The chain is broken'}
                </Status>
                <p className="break-words">{chainSentence(found)}</p>
                {found.head !== null && (
                  <>
                    <p className="text-sm text-muted">
                      Save the last link outside of this instance. If you give it to a later check, changes to
                      earlier entries are found even if somebody wrote the whole log anew.
                    </p>
                    <CodeBlock label="Last link" text={`--seq ${found.head.seq} --hash ${found.head.hash}`} />
                  </>
                )}
                <CodeBlock label="Public key of the signatures" text={found.public_key.trim()} />
              </>
            )}
            <div>
              <ShowAs request={{ operation: operation('audit.verify')!, input: {}, options: {} }} />
            </div>
          </div>
        </Dialog>
      )}
    </>
  )
}

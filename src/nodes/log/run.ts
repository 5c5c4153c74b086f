import { isPlain, scalarText } from '../../base/json/storable.ts'
import { type LogLevel, NodeFailure, type NodeRun } from '../run.ts'

export const logRun: NodeRun = {
  name: 'log_node',
  inTrial: 'runs',
  link({ level }) {
    return ({ message, fields = {} }, { log }) => {
      const text = scalarText(message)
      if (text === undefined) throw new NodeFailure('message', 'message is neither a text nor a number')
      if (!isPlain(fields)) throw new NodeFailure('fields', 'fields is no object')
      // The definition has parsed the level
      log(level as LogLevel, text, fields)
      return { handle: 'default', outputs: {} }
    }
  },
}

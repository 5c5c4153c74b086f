import { mailNode } from '../mail.ts'

export const smtpNode = mailNode('smtp_node', 'Mail by SMTP')

import * as aws from "@pulumi/aws"
import type { Output } from "@pulumi/pulumi"
import { interpolate } from "@pulumi/pulumi"
import type { Settings } from "./settings.ts"

/** Where the stack lives and what its things are called. */
export interface Home extends Settings {
  account: Output<string>
  /**
   * The task machine's ARN, made from its name: functions that the gateway reaches name the machine, and the machine names a
   * function that names the gateway.
   */
  machineArn: Output<string>
}

/** The settings, with what AWS knows about the account. */
export function home(settings: Settings): Home {
  const account = aws.getCallerIdentityOutput({}).accountId
  const machineArn = interpolate`arn:aws:states:${settings.region}:${account}:stateMachine:${settings.tenant}-task`
  return { ...settings, account, machineArn }
}

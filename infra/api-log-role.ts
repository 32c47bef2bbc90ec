import * as aws from "@pulumi/aws"
import type { Home } from "./home.ts"
import { trust } from "./iam.ts"

/** API Gateway accepts for its account setting only a role that may write to any log group, so this is AWS's own policy. */
export function letGatewayLog(home: Home) {
  const assumeRolePolicy = trust("apigateway.amazonaws.com")
  const role = new aws.iam.Role("api-logs", { name: `${home.tenant}-api-logs`, assumeRolePolicy })
  const policyArn = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
  const attachment = new aws.iam.RolePolicyAttachment("api-logs", { role: role.name, policyArn })
  return new aws.apigateway.Account("api-logs", { cloudwatchRoleArn: role.arn }, { dependsOn: [attachment] })
}

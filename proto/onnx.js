// Made by generate.js from onnx.proto3.
import { define } from './message.js';

export const onnx = define({
  'Version': {"_START_VERSION":0,"IR_VERSION_2017_10_10":1,"IR_VERSION_2017_10_30":2,"IR_VERSION_2017_11_3":3,"IR_VERSION_2019_1_22":4,"IR_VERSION_2019_3_18":5,"IR_VERSION_2019_9_19":6,"IR_VERSION_2020_5_8":7,"IR_VERSION_2021_7_30":8,"IR_VERSION_2023_5_5":9,"IR_VERSION_2024_3_25":10,"IR_VERSION_2025_05_12":11,"IR_VERSION_2025_08_26":12,"IR_VERSION_2025_11_06":13,"IR_VERSION":14},
  'AttributeProto': `1 name string
2 f float
3 i int64
4 s bytes
5 t TensorProto
6 g GraphProto
7 floats float[packed]
8 ints int64[packed]
9 strings bytes[]
10 tensors TensorProto[]
11 graphs GraphProto[]
13 docString string
14 tp TypeProto
15 typeProtos TypeProto[]
20 type int32
21 refAttrName string
22 sparseTensor SparseTensorProto
23 sparseTensors SparseTensorProto[]`,
  'AttributeProto.AttributeType': {"UNDEFINED":0,"FLOAT":1,"INT":2,"STRING":3,"TENSOR":4,"GRAPH":5,"FLOATS":6,"INTS":7,"STRINGS":8,"TENSORS":9,"GRAPHS":10,"SPARSE_TENSOR":11,"SPARSE_TENSORS":12,"TYPE_PROTO":13,"TYPE_PROTOS":14},
  'ValueInfoProto': `1 name string
2 type TypeProto
3 docString string
4 metadataProps StringStringEntryProto[]`,
  'NodeProto': `1 input string[]
2 output string[]
3 name string
4 opType string
5 attribute AttributeProto[]
6 docString string
7 domain string
8 overload string
9 metadataProps StringStringEntryProto[]
10 deviceConfigurations NodeDeviceConfigurationProto[]`,
  'IntIntListEntryProto': `1 key int64
2 value int64[packed]`,
  'NodeDeviceConfigurationProto': `1 configurationId string
2 shardingSpec ShardingSpecProto[]
3 pipelineStage int32`,
  'ShardingSpecProto': `1 tensorName string
2 device int64[packed]
3 indexToDeviceGroupMap IntIntListEntryProto[]
4 shardedDim ShardedDimProto[]`,
  'ShardedDimProto': `1 axis int64
2 simpleSharding SimpleShardedDimProto[]`,
  'SimpleShardedDimProto': `1 dimValue int64|dim
2 dimParam string|dim
3 numShards int64`,
  'TrainingInfoProto': `1 initialization GraphProto
2 algorithm GraphProto
3 initializationBinding StringStringEntryProto[]
4 updateBinding StringStringEntryProto[]`,
  'ModelProto': `1 irVersion int64
2 producerName string
3 producerVersion string
4 domain string
5 modelVersion int64
6 docString string
7 graph GraphProto
8 opsetImport OperatorSetIdProto[]
14 metadataProps StringStringEntryProto[]
20 trainingInfo TrainingInfoProto[]
25 functions FunctionProto[]
26 configuration DeviceConfigurationProto[]`,
  'DeviceConfigurationProto': `1 name string
2 numDevices int32
3 device string[]`,
  'StringStringEntryProto': `1 key string
2 value string`,
  'TensorAnnotation': `1 tensorName string
2 quantParameterTensorNames StringStringEntryProto[]`,
  'GraphProto': `1 node NodeProto[]
2 name string
5 initializer TensorProto[]
10 docString string
11 input ValueInfoProto[]
12 output ValueInfoProto[]
13 valueInfo ValueInfoProto[]
14 quantizationAnnotation TensorAnnotation[]
15 sparseInitializer SparseTensorProto[]
16 metadataProps StringStringEntryProto[]`,
  'TensorProto': `1 dims int64[packed]
2 dataType int32
3 segment TensorProto.Segment
4 floatData float[packed]
5 int32Data int32[packed]
6 stringData bytes[]
7 int64Data int64[packed]
8 name string
9 rawData bytes
10 doubleData double[packed]
11 uint64Data uint64[packed]
12 docString string
13 externalData StringStringEntryProto[]
14 dataLocation int32
16 metadataProps StringStringEntryProto[]`,
  'TensorProto.DataType': {"UNDEFINED":0,"FLOAT":1,"UINT8":2,"INT8":3,"UINT16":4,"INT16":5,"INT32":6,"INT64":7,"STRING":8,"BOOL":9,"FLOAT16":10,"DOUBLE":11,"UINT32":12,"UINT64":13,"COMPLEX64":14,"COMPLEX128":15,"BFLOAT16":16,"FLOAT8E4M3FN":17,"FLOAT8E4M3FNUZ":18,"FLOAT8E5M2":19,"FLOAT8E5M2FNUZ":20,"UINT4":21,"INT4":22,"FLOAT4E2M1":23,"FLOAT8E8M0":24,"UINT2":25,"INT2":26},
  'TensorProto.Segment': `1 begin int64
2 end int64`,
  'TensorProto.DataLocation': {"DEFAULT":0,"EXTERNAL":1},
  'SparseTensorProto': `1 values TensorProto
2 indices TensorProto
3 dims int64[packed]`,
  'TensorShapeProto': `1 dim TensorShapeProto.Dimension[]`,
  'TensorShapeProto.Dimension': `1 dimValue int64|value
2 dimParam string|value
3 denotation string`,
  'TypeProto': `1 tensorType TypeProto.Tensor|value
4 sequenceType TypeProto.Sequence|value
5 mapType TypeProto.Map|value
6 denotation string
7 opaqueType TypeProto.Opaque|value
8 sparseTensorType TypeProto.SparseTensor|value
9 optionalType TypeProto.Optional|value`,
  'TypeProto.Tensor': `1 elemType int32
2 shape TensorShapeProto`,
  'TypeProto.Sequence': `1 elemType TypeProto`,
  'TypeProto.Map': `1 keyType int32
2 valueType TypeProto`,
  'TypeProto.Optional': `1 elemType TypeProto`,
  'TypeProto.SparseTensor': `1 elemType int32
2 shape TensorShapeProto`,
  'TypeProto.Opaque': `1 domain string
2 name string`,
  'OperatorSetIdProto': `1 domain string
2 version int64`,
  'OperatorStatus': {"EXPERIMENTAL":0,"STABLE":1},
  'FunctionProto': `1 name string
4 input string[]
5 output string[]
6 attribute string[]
7 node NodeProto[]
8 docString string
9 opsetImport OperatorSetIdProto[]
10 domain string
11 attributeProto AttributeProto[]
12 valueInfo ValueInfoProto[]
13 overload string
14 metadataProps StringStringEntryProto[]`,
});
